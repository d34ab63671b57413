# SPDX-License-Identifier: Apache-2.0
# How much of the sources stands in more than one place: awk -v window=6 -v limit=2 -f this FILES
# Blank lines, comments, includes and lines without a word are passed over, white space is folded.

function flush_file() {
    count = 0
}

FNR == 1 { flush_file(); comment = 0 }

{
    line = $0
    gsub(/[ \t]+/, " ", line)
    sub(/^ /, "", line)
    sub(/ $/, "", line)
    if (line ~ /^\/\*/) comment = 1
    skipped = comment || line !~ /[A-Za-z]/ || line ~ /^(\/\/|#include)/
    if (line ~ /\*\/$/) comment = 0
    if (skipped) next

    total++
    place[total] = FILENAME ":" FNR
    recent[++count] = line
    number[count] = total
    if (count < window) next
    key = ""
    for (i = count - window + 1; i <= count; i++) key = key "\n" recent[i]
    if (key in first) {
        for (i = 0; i < window; i++) {
            repeated[first[key] + i] = 1
            repeated[total - window + 1 + i] = 1
        }
        if (!(place[first[key]] in told)) {
            told[place[first[key]]] = 1
            pairs = pairs place[first[key]] " ~ " place[total - window + 1] "\n"
        }
    } else {
        first[key] = total - window + 1
    }
}

END {
    for (i in repeated) doubled++
    share = total ? 100 * doubled / total : 0
    printf "%s%d of %d lines stand in a second place: %.2f%% (limit %d%%)\n", pairs, doubled,
        total, share, limit
    exit share > limit
}
