"""robots.txt in a run: exact counts under any layout, the line quoted, and what an edit of a file redoes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pipeline import recipe as recipes
from pipeline.answers.stats import html, json_text, stats_of, text
from pipeline.answers.verify import verify_root
from pipeline.answers.why import lives
from pipeline.answers.why_text import life_text
from pipeline.errors import UserError
from pipeline.recipe.robots_files import check, served
from pipeline.recipe.snapshot import Snapshot, load
from pipeline.recipe.yaml_file import ConfigError
from pipeline.run.remove import remove
from pipeline.store.storage import Store
from stages.rules import rights
from tests.support.archives import record
from tests.support.corpora import documented, page, write_mixture
from tests.support.runs import made, run_inline, tree

pytestmark = pytest.mark.slow
HOSTS = ("open", "cc", "all", "down", "gone", "silent", "moved", "reserved")
PAGES = 5
"""Of each host; the first two lie under /private/."""
ROBOTS = {
    "open": ("200 OK", b"User-agent: *\nDisallow:\n"),
    "cc": (
        "200 OK",
        b"# us\nUser-agent: CCBot\nDisallow: /private/\n\nUser-agent: GPTBot\nDisallow: /\nAllow: /private/1\n",
    ),
    "all": ("200 OK", b"User-agent: *\nDisallow: /\n"),
    "down": ("503 Busy", b""),
    "gone": ("404 Not Found", b"User-agent: *\nDisallow: /\n"),
    "moved": ("301 Moved", b""),
    "reserved": ("200 OK", b""),
}
COUNTS = {
    ("robots.txt", "ccbot"): 2 + PAGES + PAGES,
    ("robots.txt", "gptbot"): (PAGES - 1) + PAGES + PAGES,
    ("robots.txt not to be had", None): PAGES,
    ("no robots.txt", None): PAGES,
    ("tdmrep.json", None): 2,
}
DROPPED = {"cc": PAGES, "all": PAGES, "down": PAGES, "silent": PAGES, "moved": PAGES, "reserved": 2}


def write_crawl(folder: Path, files: int) -> Path:
    """A made crawl in so many files, and a robotstxt WARC beside it."""
    (folder / "web").mkdir(parents=True)
    (folder / "code").mkdir()
    (folder / "robotstxt").mkdir()
    docs = iter(documented())
    urls = [f"https://{host}.example/{'private' if n < 2 else 'p'}/{n}" for n in range(PAGES) for host in HOSTS]
    records = [record(page(*next(docs)), url=url) for url in urls]
    for number in range(files):
        own = records[number * len(records) // files : (number + 1) * len(records) // files]
        data = b"".join(gzip.compress(one, 6, mtime=0) for one in own)
        (folder / "web" / f"part-{number}.warc.gz").write_bytes(data)
    answers = []
    for host, (status, body) in ROBOTS.items():
        http = (
            f"Location: https://all.example/robots.txt\r\nX: {host}" if host == "moved" else "Content-Type: text/plain"
        )
        answers.append(record(body, http=http, status=status, url=f"https://{host}.example/robots.txt"))
    answers.append(
        record(
            b'[{"location": "/private/", "tdm-reservation": 1}]', url="https://reserved.example/.well-known/tdmrep.json"
        )
    )
    (folder / "robotstxt" / "a.warc.gz").write_bytes(b"".join(gzip.compress(one, 6, mtime=0) for one in answers))
    (folder / "code" / "code.jsonl").write_text('{"id": "a", "text": "%s"}\n' % ("def f(x):\\n    return x\\n" * 40))
    return folder


def write_recipe(path: Path, folder: Path, kept: str) -> Path:
    mixture = write_mixture(path, folder, min_words=1)
    text = mixture.read_text().replace(
        "kept:\n  families: [gopher_quality]\n  rules: {too_few_words: 1}", f"kept:\n  families: []\n{kept}", 1
    )
    mixture.write_text(
        text.replace("kept: {families: [], rules: {low_language_confidence: false}}", "kept: {robots: null}")
    )
    return mixture


ASKED = "  robots: {agents: [CCBot, GPTBot], files: %s, missing: drop}\n"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("a.example/robots.txt", "https://a.example/robots.txt"),
        ("deep/a.example.txt.gz", "https://a.example/robots.txt"),
        ("a.example_8080.ai.txt", "https://a.example:8080/ai.txt"),
        ("my_shop.example.txt", "https://my_shop.example/robots.txt"),
        ("_dmarc.example_81/robots.txt", "https://_dmarc.example:81/robots.txt"),
        ("münchen.example.tdmrep.json", "https://münchen.example/.well-known/tdmrep.json"),
        ("robots.txt", None),
        ("a.example.md", None),
    ],
)
def test_a_file_is_named_after_the_host_that_it_is_of(name: str, address: str | None) -> None:
    assert served(name) == address


def asked(snapshot: Snapshot) -> dict[tuple[str, str | None], int]:
    return {(row["asked_by"], row["agent"]): row["documents"] for row in stats_of(snapshot)["asked"]}


def test_counts_are_exact_and_the_same_bytes_under_any_layout(tmp_path: Path) -> None:
    folder = write_crawl(tmp_path / "in", 3)
    roots = []
    for name, group in (("alone", 0), ("together", 1 << 24)):
        mixture = write_recipe(tmp_path / f"{name}.yaml", folder, ASKED % f"{folder}/robotstxt/*.gz")
        mixture.write_text(mixture.read_text().replace("group_bytes: 0", f"group_bytes: {group}"))
        run_inline(mixture, tmp_path / name)
        roots.append(load(Store(str(tmp_path / name))))
    for snapshot in roots:
        assert asked(snapshot) == COUNTS
        stats = stats_of(snapshot)
        assert {row["source"] for row in stats["asked"]} == {"web"}
        assert all(row["tokens"] > 0 for row in stats["asked"])
        assert sum(row["documents"] for row in stats["reasons"] if row["step"] == "addresses") == sum(DROPPED.values())
    assert "damaged" not in verify_root(roots[0].store, None)
    made_of = [
        sorted(
            digest
            for name, digest in tree(tmp_path / root).items()
            if name.startswith("robots/") or (name.startswith(("shards/", "corpus/")) and name.endswith(".arrow"))
        )
        for root in ("alone", "together")
    ]
    assert made_of[0] == made_of[1]
    assert len(made_of[0]) >= 4


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """(mixture, folder, root) of a run with a folder of files named after hosts."""
    tmp_path = tmp_path_factory.mktemp("robots")
    folder = write_crawl(tmp_path / "in", 2)
    named = tmp_path / "named"
    (named / "cc.example").mkdir(parents=True)
    (named / "cc.example" / "robots.txt").write_bytes(ROBOTS["cc"][1])
    (named / "all.example.txt.gz").write_bytes(gzip.compress(ROBOTS["all"][1]))
    (named / "notes.md").write_text("no robots")
    mixture = write_recipe(tmp_path / "a.yaml", folder, ASKED.replace(", missing: drop", "") % named)
    run_inline(mixture, tmp_path / "root")
    return mixture, named, tmp_path / "root"


def test_a_folder_of_files_is_quoted_line_by_line(finished: tuple[Path, Path, Path]) -> None:
    snapshot = load(Store(str(finished[2])))
    assert asked(snapshot) == {("robots.txt", "ccbot"): 2 + PAGES, ("robots.txt", "gptbot"): PAGES - 1 + PAGES}
    [life] = lives(snapshot, "https://cc.example/private/0")
    assert life["decision"]["reason"] == "robots_txt_disallows_ccbot"
    cited = {entry["rule"]: (entry["line"], entry["text"], entry["file"]) for entry in life["decision"]["asked"]}
    assert cited == {
        "robots_txt_disallows_ccbot": (3, "Disallow: /private/", "cc.example/robots.txt"),
        "robots_txt_disallows_gptbot": (6, "Disallow: /", "cc.example/robots.txt"),
    }
    assert "line 3 of https://cc.example/robots.txt (cc.example/robots.txt): Disallow: /private/" in life_text(life)
    [kept] = lives(snapshot, "https://open.example/p/3")
    assert kept["decision"]["asked"] == []
    for shown in (text(snapshot.store, None), html(snapshot.store, None), json_text(snapshot.store, None)):
        assert "sked" in shown
        assert "ccbot" in shown


def test_an_edited_file_redoes_kept_and_what_follows(finished: tuple[Path, Path, Path]) -> None:
    mixture, named, root = finished
    before = (named / "cc.example" / "robots.txt").read_bytes()
    assert made(run_inline(mixture, root)) == {}
    try:
        (named / "cc.example" / "robots.txt").write_bytes(b"User-agent: *\nDisallow: /p/4\n")
        job = run_inline(mixture, root)
        redone = made(job)
        assert {"sources", "documents", "language", "quality", "signatures"}.isdisjoint(redone)
        assert redone["kept"] == 2
        assert asked(load(Store(str(root))))["robots.txt", "ccbot"] == 1 + PAGES
    finally:
        (named / "cc.example" / "robots.txt").write_bytes(before)
    assert made(run_inline(mixture, root)) == {}


def test_a_receipt_of_remove_cites_the_line(finished: tuple[Path, Path, Path], tmp_path: Path) -> None:
    mixture, _, root = finished
    (tmp_path / "list.txt").write_text("https://cc.example/private/0\nhttps://open.example/p/3\n")
    text = remove(str(tmp_path / "list.txt"), str(mixture), Store(str(root)), False, "inline", 1)
    assert "1 of them are asked not to be used" in text
    store = Store(str(root))
    [address] = [name for name, _ in store.list("takedown/receipts")]
    cited = store.read_json(address)["asked"]
    assert {(row["page"], row["line"], row["text"]) for row in cited} == {
        ("https://cc.example/private/0", 3, "Disallow: /private/"),
        ("https://cc.example/private/0", 6, "Disallow: /"),
    }


def test_a_damaged_file_is_reported_before_any_page_is_read(tmp_path: Path) -> None:
    folder = write_crawl(tmp_path / "in", 1)
    file = folder / "robotstxt" / "a.warc.gz"
    file.write_bytes(file.read_bytes()[:-30])
    mixture = write_recipe(tmp_path / "a.yaml", folder, ASKED % f"{folder}/robotstxt")
    with pytest.raises(UserError, match=r"kept\.robots\.files: .*a\.warc\.gz cannot be read from byte"):
        run_inline(mixture, tmp_path / "root")
    assert not (tmp_path / "root" / "documents").exists()


@pytest.mark.parametrize(
    ("robots", "words"),
    [
        ("{files: /nowhere/at/all, agents: [CCBot]}", ["kept.robots.files", "does not exist"]),
        ("{files: FOLDER, agents: [CCBot]}", ["kept.robots.files", "expected WARC files"]),
        ("{files: FOLDER/empty.warc.gz, agents: [CCBot]}", ["kept.robots.files", "is empty"]),
        ("{files: FOLDER}", ["kept.robots", "files need `agents`"]),
        ("{files: FOLDER, agents: []}", ["kept.robots", "files need `agents`"]),
        ("{files: FOLDER, agents: [CCBot/2.0]}", ["kept.robots", "CCBot/2.0"]),
        ("{agents: [CCBot], missing: drop}", ["kept.robots", "needs `files`"]),
        ("{agents: [CCBot], fils: FOLDER}", ["fils"]),
        ("{agents: [CCBot], files: FOLDER, missing: maybe}", ["missing"]),
    ],
)
def test_mistakes_are_reported_with_their_key(robots: str, words: list[str], tmp_path: Path) -> None:
    folder = write_crawl(tmp_path / "in", 1)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "empty.warc.gz").write_bytes(b"")
    (tmp_path / "odd" / "readme.md").write_text("x")
    if words[-1] == "expected WARC files":
        (tmp_path / "odd" / "empty.warc.gz").unlink()
    mixture = write_recipe(
        tmp_path / "a.yaml", folder, f"  robots: {robots.replace('FOLDER', str(tmp_path / 'odd'))}\n"
    )
    with pytest.raises(ConfigError) as found:
        recipes.load(mixture, Store(str(tmp_path / "root")))
    lines = str(found.value).splitlines()
    assert any(all(word in line for word in words) for line in lines), lines


def test_the_name_of_an_empty_file_stays_in_its_line(tmp_path: Path) -> None:
    (tmp_path / "a\nb.warc").touch()
    with pytest.raises(ValueError, match=r"/a\\nb\.warc is empty: expected records"):
        check(rights.Robots(files=(str(tmp_path),), agents=("gptbot",)))
