# SPDX-License-Identifier: Apache-2.0
# Reports of `armlet bench --json` side by side: the median of each benchmark, and armlet's, the
# first report's, as a part of each other one's. -v label=TEXT stands for the names. A line of a report that
# begins with {"name": is a benchmark; see "JSON" in armlet-bench(1).
function member(line, name) {
    if (!match(line, "\"" name "\": [^,}]*"))
        return ""
    line = substr(line, RSTART, RLENGTH)
    sub(/^[^:]*: /, "", line)
    gsub(/"/, "", line)
    return line
}
FNR == 1 {
    reports++
    vmm[reports] = FILENAME
    sub(/.*\//, "", vmm[reports])
    sub(/[.]json$/, "", vmm[reports])
}
/^ *[{]"name": / {
    name = member($0, "name")
    if (!(name in known)) {
        known[name] = 1
        order[++names] = name
    }
    median[name, reports] = member($0, "p50")
}
END {
    printf "%-17s", "median"
    for (i = 1; i <= reports; i++)
        printf " %12s", vmm[i]
    for (i = 2; i <= reports; i++)
        printf "   of %-9s", vmm[i]
    print ""
    for (n = 1; n <= names; n++) {
        name = order[n]
        line = sprintf("%-17s", label && name == "boot" ? label : name)
        some = 0
        for (i = 1; i <= reports; i++) {
            value = median[name, i]
            line = line sprintf(" %12s", value == "" ? "-" : sprintf(value < 1000 ? "%.1f" : "%d", value))
            some += value != ""
        }
        for (i = 2; i <= reports; i++)
            if (median[name, 1] != "" && median[name, i] + 0 > 0)
                line = line sprintf("   %12.3f", median[name, 1] / median[name, i])
            else
                line = line sprintf("   %12s", "")
        if (some && !(label && name != "boot"))
            print line
    }
}
