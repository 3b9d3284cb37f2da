"""Kinds of elements by their class words, beyond hints: gutters, formulas, code without `pre`, languages, what nobody sees.

For `blocks`. Unlike hints (`hints`), which a classifier weighs, these words decide how text is written, so a word counts
only as a whole class word between white space. `read_kinds` gives a bit mask of `GUTTER` ... `NAMED`; with `LANGUAGE` or
`NAMED` set, `find_language` finds the span of the name of a programming language: `language-x`, `lang-x`, `highlight-source-x`,
`brush: x`, or a known name beside a word for code (`sourceCode haskell`, `hljs rust`).

Words are ours, from the output of the tools named beside them. Price: linear in the value; masks are kept by its hash.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html.tables import FNV_START, KIND_SIZE, KIND_TABLE, build_table, look_up, mix
from stages.kernels.html.tokens import is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

(GUTTER, UNSEEN, EXTRA, RENDERED, GLYPHS, MATH, FORMULA, DISPLAY, CODE, CODE_WORD, LANGUAGE, NAMED, LAYOUT, PICTURE,
 SOURCE, LINES) = (1 << bit for bit in range(16))  # fmt: skip

KIND_WORDS: dict[int, str] = {
    # line numbers: Pygments, Rouge, Chroma, Hexo, hljs-ln, GitHub, Crayon, CodeMirror, Ace, Prism plug-ins, LaTeXML, GeSHi
    GUTTER: "gutter lineno linenos linenodiv line-numbers-rows line-number linenumber linenumbers line_numbers line-num lnum "
    "rouge-gutter lnt lnos hljs-ln-numbers hljs-ln-n blob-num crayon-nums crayon-num codemirror-gutters codemirror-gutter "
    "codemirror-linenumber cm-gutters cm-gutter ace_gutter ace_gutter-cell react-syntax-highlighter-line-number line-no "
    "code-line-number codeline-number ltx_tag_listingline linenr line-nr lno urvanov-syntax-highlighter-nums "
    "urvanov-syntax-highlighter-num margin-view-overlays code-lineno codelinenumber linenum "
    "vc_file_line_number phabricator-source-line u-linenum filecontents-linenum sourcelineno source-line-no ln "
    "react-line-number line-numbers pre-numbering codemirror-gutter-wrapper line-numbers-wrapper lines-num src-line-numbers",
    # for screen readers alone
    UNSEEN: "sr-only visually-hidden visuallyhidden screen-reader-text screen-reader-only screenreader-only "
    "screen-reader element-invisible u-visually-hidden is-visually-hidden show-for-sr a11y-hidden vh-hidden assistive-text",
    # marks beside headings and code that are no text
    EXTRA: "headerlink header-anchor hash-link anchorjs-link heading-anchor headinglink editsection "
    "direct-link permalink-anchor anchor-link mathjax_preview copybtn copy-button clip-button clipboard-button btn-clipboard "
    "copy-code-button clipboard-copy jp-inputprompt jp-outputprompt input_prompt output_prompt crayon-toolbar code-toolbar-item toolbar-item crayon-main-toolbar "
    "urvanov-syntax-highlighter-toolbar copy-code-btn code-copy-btn copy-to-clipboard-button btn-copy copy-btn copybutton "
    "code-block-extension-header codemirror-measure gist-meta test-arrow enlighter-raw cnblogs_code_toolbar ltx_listing_data hljs-button highlight-tools toolbar_item snippet-clipboard-content-button",
    # what a formula looks like, where its source stands inside or behind
    RENDERED: "mq-root-block mathjax mathjax_display mathjax_svg mathjax_svg_display mathjax_chtml mathjax_mathml mjx-chtml mjx-mathml "
    "mjxc-display mathjax_error mjpage",
    GLYPHS: "katex-html",
    MATH: "math tex latex maths equation formula math-container asciimath tex2jax_process math-expression tex-math",
    FORMULA: "math-inline math-display math-tex math-block inline-math display-math language-math js-render-math arithmatex "
    "inlinemath displaymath latex-inline latex-block katex-inline katex-block math-formula katex-eq wp-katex-eq ql-formula latex-rendered ne-math",
    DISPLAY: "katex-display katex-block math-display display-math displaymath mathjax_display mathjax_svg_display mjxc-display mjpage__block math-block "
    "mwe-math-mathml-display mwe-math-element-block mwe-math-fallback-image-display display ql-img-displayed-equation "
    "latex-block latex-display latex-rendered displayformula numberedequation",
    # code that is no `pre`
    CODE: "syntaxhighlighter crayon-pre urvanov-syntax-highlighter-pre dp-highlighter highlighttable rouge-table lntable "
    "hljs-ln codehilitetable js-file-line-container codemirror-code cm-content ace_text-layer view-lines "
    "codecolorer blob-code-content linenodiv-code enlighter-code code-table highlight-table codetable ql-code-block-container code-view "
    "geshifilter rouge-line-table w3-code codemain verbatim rktblk colorscripter-code-table documentation-examplecode ltx_lstlisting lstlisting lstinputlisting linenums react-code-lines",
    CODE_WORD: "sourcecode hljs highlight code syntaxhighlighter prettyprint prism prism-code codehilite src source "
    "chroma rouge codecolorer listing example geshi mw-highlight de1 programlisting enlighter-code brush snippet "
    "syntax highlighter-rouge codeblock code-block literal-block crayon-plain verbatim fragment ql-code-block bbcode_code bbcodecode bbc_code codebox code-frame cnblogs_code enlighterjsraw page_body",
    LAYOUT: "ltx_eqn_table ltx_eqn_align ltx_eqn_gather presentation ltx_equationgroup wp_syntax",
    # images of formulas
    PICTURE: "mwe-math-fallback-image-inline mwe-math-fallback-image-display tex latex math mathjax ql-img-inline-formula "
    "ql-img-displayed-equation equation_image texrender latex-image formula-image mathtex mimetex tex-image codecogs ltx_math "
    "latexmathimage mathimg qtex_url wirisformula texhtml formula latex-formula inlineformula displayformula numberedequation",
    # around the MathML of a formula that pages hide for programs
    SOURCE: "mwe-math-mathml-a11y mwe-math-mathml-inline mwe-math-mathml-display mjx_assistive_mathml katex-mathml "
    "mjx-assistive-mml",
    LINES: "line gatsby-highlight-code-line code-line crayon-line view-line highlight-line ltx_listingline token-line",
}
NAMES = [
    "abap", "actionscript", "ada", "agda", "apache", "apacheconf", "applescript", "arduino", "armasm", "asciidoc",
    "asm", "assembly", "awk", "bash", "basic", "bat", "batch", "bibtex", "brainfuck", "c", "c#", "c++", "clj",
    "clojure", "cmake", "cmd", "cobol", "coffee", "coffeescript", "common-lisp", "console", "coq", "cpp", "crystal",
    "cs", "csharp", "css", "csv", "cuda", "cypher", "cython", "d", "dart", "delphi", "diff", "docker", "dockerfile",
    "dos", "dot", "elisp", "elixir", "elm", "emacs-lisp", "erb", "erlang", "f#", "fish", "fortran", "fsharp",
    "gdscript", "gherkin", "glsl", "go", "golang", "gradle", "graphql", "groovy", "haml", "handlebars", "haskell",
    "hcl", "hlsl", "hs", "html", "http", "idris", "ini", "ipython", "ipython3", "java", "javascript", "jinja", "js",
    "json", "json5", "jsonc", "jsx", "julia", "kotlin", "kt", "latex", "lean", "lean4", "less", "lisp", "llvm", "lua",
    "make", "makefile", "markdown", "math", "mathematica", "matlab", "md", "mermaid", "mysql", "nasm", "nginx", "nim",
    "nix", "objc", "objective-c", "ocaml", "octave", "pascal", "patch", "pcre", "perl", "php", "pine", "pl",
    "plpgsql", "postgresql", "powershell", "prolog", "properties", "proto", "protobuf", "ps1", "puppet", "purescript",
    "py", "pycon", "python", "python2", "python3", "qml", "qsharp", "r", "racket", "raku", "rb", "reason", "rest",
    "rexx", "rs", "rst", "ruby", "rust", "sas", "sass", "scala", "scheme", "scss", "sh", "shell", "shell-session",
    "smalltalk", "sml", "solidity", "sparql", "sql", "stan", "stata", "svelte", "swift", "systemverilog", "tcl",
    "tcsh", "terraform", "tex", "text", "toml", "ts", "tsql", "tsx", "twig", "typescript", "vb", "vba", "vbnet",
    "verilog", "vhdl", "vim", "vue", "wasm", "wolfram", "xhtml", "xml", "xquery", "yaml", "yml", "zig", "zsh",
    "jscript", "csh", "ksh", "plsql", "pgsql", "bash-session", "sh-session",
]  # fmt: skip
_NO_NAMES = (
    "none", "default", "nohighlight", "no-highlight", "auto", "undefined", "null", "plain", "plaintext", "text-plain",
)  # fmt: skip
BOOK_MENU = 1 << 16
"""Of the bar above a book of mdBook and the title in it, which is no heading of the page; anywhere else the words mean nothing."""
NO_LANGUAGE = 1 << 24
"""Of a word that says that no language is known."""
STYLED = 1 << 17
"""Of an element that the page's own style sheets hide (`style_sheets`)."""
CLASSIFIER = 1 << 18
"""Of the type behind a term, which style sheets part from it with a colon (docutils, numpydoc)."""
TOOLS = 1 << 19
"""Of buttons that a highlighter draws into code; anywhere else the word means nothing."""
ITEM_LINES = 1 << 21
"""Of lines of code that are items (GeSHi) or each a block (gitweb), where what holds them says that it is code."""
TASK = 1 << 22
"""Of a list of tasks with check boxes, or an item or box of one."""
PROMPT = 1 << 20
"""Of ``In [1]:`` beside the code of a notebook (nbsphinx), or of anything else."""
GRID = 1 << 23
"""Of a table that is a `div` whose cells follow each other, or the last cell of a row of it (Javadoc), and of tables of `span` (LaTeXML); anywhere else the words mean nothing."""
_FURTHER = {
    BOOK_MENU: "menu-bar menu-title",
    CLASSIFIER: "classifier",
    GRID: "summary-table col-last ltx_tabular ltx_tr ltx_td",
    ITEM_LINES: "li1 li2 pre",
    PROMPT: "prompt",
    TASK: "task-list contains-task-list task-list-item task-list-item-checkbox todo-list",
    TOOLS: "bar toolbar tools",
}
_PREFIXES = (b"language-", b"lang-", b"highlight-source-", b"highlight-text-", b"highlight-", b"hl-", b"mw-highlight-lang-",
             b"src-", b"source-", b"lang:", b"type-", b"brush:", b"code-", b"listing-", b"syntax-", b"prism-", b"pygments-", b"dp-",
             b"geshifilter-")  # fmt: skip


def fill_kind_table(T: npt.NDArray[np.int64]) -> None:
    """Write `KIND_WORDS`, `NAMES` and the prefixes of languages into ``T``."""
    masks: dict[bytes, int] = {}
    for bit, words in KIND_WORDS.items():
        for word in words.split():
            masks[word.encode()] = masks.get(word.encode(), 0) | bit
    for kind, names in _FURTHER.items():
        for word in names.split():
            masks[word.encode()] = masks.get(word.encode(), 0) | kind
    for name in NAMES:
        masks[name.encode()] = masks.get(name.encode(), 0) | NAMED
    for name in _NO_NAMES:
        masks[name.encode()] = masks.get(name.encode(), 0) | NO_LANGUAGE
    for prefix in _PREFIXES:
        masks[prefix] = masks.get(prefix, 0) | LANGUAGE
    T[KIND_TABLE : KIND_TABLE + 2 * KIND_SIZE] = build_table(list(masks), KIND_SIZE, list(masks.values()))


@inline_kernel
def read_word(data, i, stop, T):  # type: ignore[no-untyped-def]
    """The class word at ``i``: (position behind it, its mask, where a language named by a prefix begins or -1).

    A name behind a prefix other than ``language-`` and ``lang-`` must be a known one.
    """
    first, h, prefix = i, FNV_START, -1
    sure = False
    while i < stop:
        b = data[i]
        if is_space(b) or b == 59:
            break
        if 65 <= b <= 90:
            b |= 0x20
        h = mix(h, b)
        i += 1
        if (b == 45 or b == 58) and i - first < 20:
            mask = look_up(T, KIND_TABLE, KIND_SIZE, h)
            if mask >= 0 and mask & LANGUAGE:
                prefix = i
                sure = data[first] | 0x20 == 108 or b == 58
    mask = max(0, look_up(T, KIND_TABLE, KIND_SIZE, h)) & ~LANGUAGE
    if prefix >= 0 and prefix == i and data[i - 1] == 58:  # `brush: x`
        while i < stop and is_space(data[i]):
            i += 1
        prefix = i
        while i < stop and data[i] != 59 and not is_space(data[i]):
            i += 1
    if prefix >= 0:
        h = FNV_START
        for k in range(prefix, i):
            h = mix(h, data[k] | 0x20 if 65 <= data[k] <= 90 else data[k])
        known = max(0, look_up(T, KIND_TABLE, KIND_SIZE, h))
        if prefix == i or known & NO_LANGUAGE or not (sure or known & NAMED):
            prefix = -1
    return i, mask, prefix


@inline_kernel
def read_kinds(data, start, stop, T):  # type: ignore[no-untyped-def]
    """Bit mask of all words of the class ``data[start:stop]``."""
    mask, i = 0, start
    while i < stop:
        if is_space(data[i]) or data[i] == 59:
            i += 1
            continue
        i, more, prefix = read_word(data, i, stop, T)
        mask |= more
        if prefix >= 0:
            mask |= LANGUAGE
    return mask & ~NO_LANGUAGE


@inline_kernel
def name_of_language(data, start, stop, T):  # type: ignore[no-untyped-def]
    """``data[start:stop]`` if it is the name of a programming language, else (0, 0)."""
    h = FNV_START
    for i in range(start, min(stop, start + 24)):
        h = mix(h, data[i] | 0x20 if 65 <= data[i] <= 90 else data[i])
    mask = look_up(T, KIND_TABLE, KIND_SIZE, h)
    return (start, stop) if mask > 0 and mask & NAMED else (0, 0)


@inline_kernel
def find_language(data, start, stop, T):  # type: ignore[no-untyped-def]
    """(start, stop) of the name of a language in a class; (0, 0) where none is."""
    i, first, last = start, 0, 0
    while i < stop:
        if is_space(data[i]) or data[i] == 59:
            i += 1
            continue
        word = i
        i, mask, prefix = read_word(data, i, stop, T)
        if prefix >= 0:
            return prefix, i
        if mask & NAMED and last == 0:
            first, last = word, i
    return first, last
