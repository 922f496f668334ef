#!/usr/bin/env python3
"""Write the figures of a run of the conformance suite into a page, between its two marks: conformance_table.py RESULTS PAGE"""
import json
import sys

BEGIN, END = "<!-- conformance -->\n", "<!-- end of conformance -->\n"


def row(name, figures):
    part = figures["cases_pass"] / figures["cases"]
    return f"| {name} | {figures['cases_pass']} of {figures['cases']} | {figures['its_pass']} of {figures['its']} | {int(1000 * part) / 10} % |\n"


results, page = sys.argv[1:]
with open(results, encoding="utf-8") as f:
    table = json.load(f)["table"]
lines = "| spec | requests | tests | |\n|---|---|---|---|\n" + row("**all**", table.pop("total"))
lines += "".join(row(name.removeprefix("Feature."), table[name]) for name in sorted(table))

with open(page, encoding="utf-8") as f:
    before, rest = f.read().split(BEGIN)
after = rest.split(END)[1]
with open(page, "w", encoding="utf-8") as f:
    f.write(before + BEGIN + lines + END + after)
