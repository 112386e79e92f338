"""Text made safe for LaTeX."""

from __future__ import annotations

LATEX = {
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "≈": r"$\approx$",
    "±": r"$\pm$",
    "–": "--",
    "γ": r"$\gamma$",
    "λ": r"$\lambda$",
    "†": r"$^\dagger$",
    "−": "$-$",
}
LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def escape(text: str) -> str:
    """Return ``text`` safe for LaTeX: special characters escaped, arrows and Greek letters as mathematics."""
    safe = "".join(LATEX_SPECIAL.get(letter, letter) for letter in text)
    for letter, command in LATEX.items():
        safe = safe.replace(letter, command)
    return safe.replace("\x02", r"\textbf{").replace("\x03", "}")
