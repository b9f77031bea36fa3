"""A user's texts are drawn, whatever they hold."""

import warnings
import xml.etree.ElementTree

import pytest

from nestmat.figures import style

TEXTS = [
    r"$\Delta H_{\textrm{f}}$ (eV)",
    "$5 to $10",
    "$$",
    "$",
    "a_b^c",
    "$a_b_c$",
    "$x^2^3$",
    r"$\frac{1}{$",
    "{}}{ $ { $",
    r"\$ and \textbf{x}",
    "x\ny $a$",
    "钙钛矿",
    "פרובסקיט",
    "🔥 hot",
    "<script>alert(1)</script> --> & ]]>",
    "a" * 600,
    "tab\t bell\x07",
    "$" + "{" * 300 + "}" * 300 + "$",
    "",
    "%s {0} %(x)s",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_figure_with_any_text_is_written_without_a_warning(tmp_path, text):
    with style.sheet(), warnings.catch_warnings():
        warnings.simplefilter("error")
        # Where a name is longer than the figure, its axes shrink to nothing.
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        figure, axes = style.panels(1, 2, height=3)
        for ax in axes.flat:
            ax.plot([0, 1], [0, 1], label=text or "line")
            ax.set_title(text)
            ax.set_xlabel(text)
            ax.set_xticks([0, 1], [text, text])
            style.note(ax, text)
        style.legend_below(figure, list(axes.flat))
        style.write_svg(figure, tmp_path / "a.svg", text)
    xml.etree.ElementTree.parse(tmp_path / "a.svg")


def test_readable_math_stays_math():
    figure, axes = style.panels(1, 1, height=2)
    readable = axes[0, 0].set_title("z$_{3}$")
    unreadable = axes[0, 0].set_xlabel(r"$\textrm{f}$")
    style.escape_text(figure)
    assert readable.get_parse_math()
    assert not unreadable.get_parse_math()
