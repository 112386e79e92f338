"""What is around every page: its head and its style. No script, no font, no address: it opens offline and prints."""

from __future__ import annotations

from html import escape
from string import Template

FRAME = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<link rel="icon" href="data:,">
<style>
:root { --ink: #1c2024; --soft: #5a6470; --paper: #ffffff; --panel: #f4f5f7; --line: #d8dce1;
  --good: #1a7f4b; --bad: #b42318; --fair: #9a6700; --open: #56616e; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a4adb8; --paper: #15181c;
  --panel: #1f2429;
  --line: #3a4149; --good: #4cc38a; --bad: #ff8a7a; --fair: #e8b44c; --open: #a4adb8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 52rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .2rem 0 .6rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p { margin: .5rem 0; }
small, .soft { color: var(--soft); }
.good { --tone: var(--good); } .bad { --tone: var(--bad); } .fair { --tone: var(--fair);
  } .open { --tone: var(--open); }
.verdict { border-left: .5rem solid var(--tone); background: var(--panel); border-radius: .4rem;
  padding: 1rem 1.2rem; }
.verdict h1 { color: var(--tone); }
.note { border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .9rem; margin: 1rem 0;
  font-size: .95rem; }
.short { list-style: none; display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .6rem;
  padding: 0; }
.short li { border: 1px solid var(--line); border-top: .25rem solid var(--tone); border-radius: .3rem;
  padding: .4rem .7rem; margin: 0;
  display: flex; flex-direction: column; font-size: .92rem; }
.finding { border-top: 1px solid var(--line); padding: .8rem 0; break-inside: avoid; }
.finding h3 { font-size: 1rem; font-weight: 600; margin: 0; display: flex; gap: .8rem;
  justify-content: space-between; align-items: baseline; }
.answer { color: var(--tone); white-space: nowrap; font-weight: 700; }
.bar { position: relative; height: 1.1rem; background: var(--panel); border: 1px solid var(--line);
  border-radius: .2rem; margin: .6rem 0 .2rem; }
.bar i { position: absolute; top: .3rem; bottom: .3rem; background: var(--tone); opacity: .45; min-width: 2px; }
.bar b { position: absolute; top: 0; bottom: 0; width: 4px; margin-left: -2px; background: var(--tone); }
.bar u { position: absolute; top: 0; bottom: 0; border-left: 1px dashed var(--soft); }
.ends { display: flex; justify-content: space-between; font-size: .8rem; color: var(--soft); gap: 1rem; }
details { margin: .4rem 0 0; } summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; margin: .4rem 0; }
th, td { text-align: right; padding: .3rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top;
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; } thead th { font-weight: 600; color: var(--soft); }
code { font-size: .85em; overflow-wrap: anywhere; }
.said td { text-align: left; } li { margin: .3rem 0; }
@media (max-width: 34rem) { .finding h3 { flex-direction: column; gap: 0; } h1 { font-size: 1.4rem; } }
@media print { body { font-size: 11pt; } main { max-width: none; padding: 0; } summary { list-style: none; }
  details::details-content { content-visibility: visible; display: block; height: auto; } }
</style>
</head>
<body>
<main>
$body
</main>
</body>
</html>
""")


def framed(title: str, body: str) -> str:
    """Return a page with its head and style; ``body`` is HTML, ``title`` is not."""
    return FRAME.substitute(title=escape(title), body=body)
