# SPDX-License-Identifier: Apache-2.0
# Reports of `armlet bench --json` side by side: the median of each benchmark, and the first
# column's as a part of each other one's. A column is called as its file is, up to a "+" in that
# name: reports NAME.json and NAME+MORE.json are one. -v label=TEXT stands for the names of
# benchmarks. A line of a report that begins with {"name": is a benchmark; see "JSON" in
# armlet-bench(1).
function member(line, name) {
    if (!match(line, "\"" name "\": [^,}]*"))
        return ""
    line = substr(line, RSTART, RLENGTH)
    sub(/^[^:]*: /, "", line)
    gsub(/"/, "", line)
    return line
}
FNR == 1 {
    column = FILENAME
    sub(/.*\//, "", column)
    sub(/([+].*)?[.]json$/, "", column)
    if (!(column in columns)) {
        columns[column] = ++reports
        vmm[reports] = column
    }
    report = columns[column]
}
/^ *[{]"name": / {
    name = member($0, "name")
    if (!(name in known)) {
        known[name] = 1
        order[++names] = name
    }
    value = member($0, "p50")
    if (value != "")
        median[name, report] = value
}
END {
    heading = sprintf("%-26s", "median")
    for (i = 1; i <= reports; i++)
        heading = heading sprintf(" %12s", vmm[i])
    for (i = 2; i <= reports; i++)
        heading = heading sprintf(" %12s", "of " vmm[i])
    print heading
    for (n = 1; n <= names; n++) {
        name = order[n]
        line = sprintf("%-26s", label && name == "boot" ? label : name)
        some = 0
        for (i = 1; i <= reports; i++) {
            value = median[name, i]
            line = line sprintf(" %12s", value == "" ? "-" : sprintf(value < 1000 ? "%.1f" : "%d", value))
            some += value != ""
        }
        for (i = 2; i <= reports; i++)
            if (median[name, 1] != "" && median[name, i] + 0 > 0)
                line = line sprintf(" %12.3f", median[name, 1] / median[name, i])
            else
                line = line sprintf(" %12s", "")
        if (some && !(label && name != "boot"))
            print line
    }
}
