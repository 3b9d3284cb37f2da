"""The command line: one clear line for every wrong request, and the right exit code."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.errors import RunError
from tests.support.archives import record, write
from tests.support.corpora import write_corpus, write_mixture


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_corpus(folder / "in", files=3)
    write_mixture(folder / "small.yaml", folder / "in")
    result = call("run", folder / "small.yaml", "--root", folder / "root", "--engine", "inline")
    assert result.exit_code == 0, result.stderr
    return folder


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def refused(*args: object, code: int = 2) -> str:
    """The error of a command that must fail: its lines, without the program's name."""
    result = call(*args)
    assert result.exit_code == code, result.output + result.stderr
    assert "Traceback" not in result.stderr
    _, found, message = f"\n{result.stderr}".partition("\ngristmill: ")
    assert found, result.stderr
    return message.strip()


def run_changed(small: Path, folder: Path, old: str, new: str) -> tuple[Path, str]:
    """A mixture file with ``old`` replaced by ``new``."""
    text = (small / "small.yaml").read_text()
    assert old in text
    (folder / "m.yaml").write_text(text.replace(old, new))
    return folder / "m.yaml", str(folder / "root")


def test_run_ends_with_the_table_of_tokens_and_where_things_lie(small: Path) -> None:
    result = call("run", small / "small.yaml", "--root", small / "root", "--engine", "inline")
    assert result.exit_code == 0
    assert "nothing to do: everything was there" in result.stderr
    lines = result.stdout.splitlines()
    assert any(line.split()[:1] == ["docs"] for line in lines)
    places = {line.split()[0]: line.split()[1] for line in lines[-2:]}
    assert (Path(places["shards"]) / "manifest.json").is_file()
    assert Path(places["report"]).read_text().startswith("<!doctype html>")


def test_plan_says_what_is_reused_and_what_an_edit_redoes_and_why(small: Path, tmp_path: Path) -> None:
    same = call("plan", small / "small.yaml", "--root", small / "root").stdout
    assert {line.split()[3] for line in same.splitlines()[1:] if line} >= {"0"}
    path, _ = run_changed(small, tmp_path, "too_few_words: 50", "too_few_words: 60")
    edited = {
        line.split()[0]: line for line in call("plan", path, "--root", small / "root").stdout.splitlines() if line
    }
    assert "nothing changed" in edited["documents"]
    assert "too_few_words: 50" in edited["kept"]
    assert "at most" in edited["corpus"]


@pytest.mark.parametrize(
    ("limit", "cluster"), [(1 << 30, None), (0, None), (1 << 30, "10.0.0.1:6379")], ids=["small", "large", "cluster"]
)
def test_a_changed_share_of_a_small_corpus_starts_no_ray(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, cluster: str | None
) -> None:
    def started(*_: object) -> None:
        raise RunError("Ray was started")

    monkeypatch.setattr("pipeline.run.driver.RayExecutor", started)
    monkeypatch.setattr("pipeline.run.driver.COPIED_HERE", limit)
    if cluster:
        monkeypatch.setenv("RAY_ADDRESS", cluster)
    shutil.copytree(small / "root", tmp_path / "root")
    changed = write_mixture(tmp_path / "small.yaml", small / "in", docs=0.6)
    result = call("run", changed, "--root", tmp_path / "root")
    if limit and not cluster:
        assert result.exit_code == 0, result.stderr
        assert "1 file made" in result.stderr
        assert call("verify", "--root", tmp_path / "root").exit_code == 0
    else:
        assert "Ray was started" in result.stderr


def test_plan_changes_nothing(small: Path, tmp_path: Path) -> None:
    assert call("plan", small / "small.yaml", "--root", tmp_path / "new").exit_code == 0
    assert not (tmp_path / "new").exists()


def test_status_and_stats_of_a_finished_root(small: Path) -> None:
    assert "small: finished" in call("status", "--root", small / "root").stdout
    stats = json.loads(call("stats", "--root", small / "root", "--json").stdout)
    assert stats["totals"]["training_tokens"] > 100_000
    html = call("stats", "--root", small / "root", "--html", small / "r.html")
    assert html.exit_code == 0
    assert "<html" in (small / "r.html").read_text()


def test_show_finds_a_page_by_url_and_by_doc_id_in_all_products(small: Path) -> None:
    shown = call("show", "https://docs.example/argparse.ArgumentParser", "--root", small / "root").stdout
    for product in ("documents", "language", "quality", "signatures", "clusters", "kept", "tokens"):
        assert f"\n{product}\n" in f"\n{shown}"
    doc_id = next(line.split()[1] for line in shown.splitlines() if line.split()[:1] == ["doc_id"])
    assert call("show", doc_id, "--root", small / "root").stdout == shown


def test_show_of_an_unknown_page_is_one_line(small: Path) -> None:
    assert "no page with URL https://nowhere" in refused("show", "https://nowhere", "--root", small / "root")


@pytest.mark.parametrize(
    "product", ["documents", "language", "quality", "signatures", "clusters", "kept", "tokens", "corpus"]
)
def test_verify_finds_a_flipped_byte_in_every_product(small: Path, tmp_path: Path, product: str) -> None:
    shutil.copytree(small / "root", tmp_path / "root")
    assert "all is well" in call("verify", "--root", tmp_path / "root").stdout
    files = [path for path in (tmp_path / "root" / product).rglob("*") if path.suffix in (".parquet", ".arrow")]
    victim = max(files, key=lambda path: (path.stat().st_size, str(path)))
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 0x10
    victim.write_bytes(data)
    problem = refused("verify", "--root", tmp_path / "root", code=1)
    assert victim.relative_to(tmp_path / "root").as_posix() in problem


def test_verify_finds_a_missing_file(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small / "root", tmp_path / "root")
    victim = next((tmp_path / "root" / "kept").rglob("*.parquet"))
    victim.unlink()
    assert victim.name in refused("verify", "--root", tmp_path / "root", code=1)


# Bad input, each one clear error


def test_a_mixture_file_that_is_not_there(tmp_path: Path) -> None:
    assert "does not exist" in refused("run", tmp_path / "none.yaml", "--root", tmp_path)


def test_mistakes_in_a_mixture_are_reported_all_at_once_with_their_lines(small: Path, tmp_path: Path) -> None:
    path, root = run_changed(small, tmp_path, "families: [gopher_quality]", "famlies: [gopher]")
    path.write_text(path.read_text().replace("docs: {sources: [web]}", "docs: {sources: [wep]}"))
    errors = refused("run", path, "--root", root).splitlines()
    assert len(errors) == 2
    assert "m.yaml:8: kept.famlies: no such key; did you mean 'families'?" in errors[0]
    assert "m.yaml:11: domains.docs.sources[0]: no such source 'wep'; did you mean 'web'?" in errors[1]


def test_shares_that_do_not_sum_to_one(small: Path, tmp_path: Path) -> None:
    path, root = run_changed(small, tmp_path, "share: 0.7}", "share: 0.8}")
    error = refused("run", path, "--root", root)
    assert "shares must sum to 1, found 1.1" in error
    assert "m.yaml:" in error


def test_a_domain_that_is_not_declared(small: Path, tmp_path: Path) -> None:
    path, root = run_changed(small, tmp_path, "    docs: {share", "    dogs: {share")
    assert "mixture.domains.dogs: no such domain; did you mean 'docs'?" in refused("run", path, "--root", root)


def test_a_source_path_that_is_missing(small: Path, tmp_path: Path) -> None:
    path, root = run_changed(small, tmp_path, "/web/*.warc.gz", "/wep/*.warc.gz")
    assert "does not exist" in refused("run", path, "--root", root)


def test_an_unknown_tokenizer_names_the_nearest(small: Path, tmp_path: Path) -> None:
    path, root = run_changed(small, tmp_path, "shards:", "tokens: {tokenizer: mistral-v12}\nshards:")
    error = refused("run", path, "--root", root, "--engine", "inline")
    assert "m.yaml:13: tokens.tokenizer" in error
    assert "mistral-v12" in error
    assert "mistral-v1" in error
    assert not (tmp_path / "root" / "documents").exists(), "found out before any work"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_root_that_cannot_be_written(small: Path, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir(mode=0o500)
    assert "Permission denied" in refused("run", small / "small.yaml", "--root", tmp_path / "root", code=1)


def test_a_root_that_is_a_file(small: Path, tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    assert str(tmp_path / "root") in refused("run", small / "small.yaml", "--root", tmp_path / "root")


def test_a_root_without_a_run(tmp_path: Path) -> None:
    for command in ("status", "stats", "verify"):
        assert "holds no run" in refused(command, "--root", tmp_path)


def test_an_unknown_mixture_name_lists_those_there(small: Path) -> None:
    assert "it holds: small" in refused("stats", "--root", small / "root", "--mixture", "large")


def test_a_relative_root_is_refused_on_a_cluster(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert "is relative" in refused("run", small / "small.yaml", "--root", "out")


def test_a_cluster_that_does_not_answer_is_one_line(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    assert "RAY_ADDRESS=nonsense" in refused("run", small / "small.yaml", "--root", tmp_path / "root", code=1)


def test_nothing_kept_is_an_error_that_says_where_to_look(small: Path, tmp_path: Path) -> None:
    path, root = run_changed(small, tmp_path, "too_few_words: 50", "too_few_words: 1000000")
    message = refused("run", path, "--root", root, "--engine", "inline", code=1)
    assert "domain 'docs' has no page: of the " in message
    assert "`gristmill stats` shows every reason" in message


def test_pages_that_do_not_belong_are_counted_and_the_run_goes_on(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small / "in", tmp_path / "in")
    good = (tmp_path / "in" / "web" / "part-000.warc.gz").read_bytes()
    (tmp_path / "in" / "web" / "truncated.warc.gz").write_bytes(good[: len(good) * 2 // 3])
    (tmp_path / "in" / "web" / "empty.warc.gz").write_bytes(b"")
    (tmp_path / "in" / "web" / "not-a-warc.warc.gz").write_bytes(b"<html>not a WARC</html>" * 9)
    big = b"<html><body>" + b"<p>A very long page goes on.</p>" * 1_700_000 + b"</body></html>"
    broken = b"<html><body><p>" + bytes(range(128, 256)) * 40 + b" caf\xe9</p></body></html>"
    odd = [record(body, url=f"https://odd.example/{n}") for n, body in enumerate((big, broken, b"", b"\0" * 999))]
    write(tmp_path / "in" / "web" / "odd.warc.gz", odd)
    mixture = write_mixture(tmp_path / "m.yaml", tmp_path / "in", extra="run: {max_bad_fraction: 0.5}\n")
    result = call("run", mixture, "--root", tmp_path / "root", "--engine", "inline")
    assert result.exit_code == 0, result.stderr
    stats = json.loads(call("stats", "--root", tmp_path / "root", "--json").stdout)
    first, last = stats["funnel"][0], stats["funnel"][-1]
    removed = sum(entry["documents"] for step in stats["funnel"] for entry in step["removed"])
    assert first["documents"] == last["documents"] + removed
    assert "all is well" in call("verify", "--root", tmp_path / "root").stdout
    status = call("status", "--root", tmp_path / "root").stdout
    for name in ("truncated", "empty", "not-a-warc"):
        assert name in status


def test_plan_of_a_training_run_prints_laws_and_what_binds(small: Path) -> None:
    shown = call("plan", small / "small.yaml", "--root", small / "root", "--compute", "1e16").stdout
    for law in ("Besiroglu", "Hoffmann", "Muennighoff"):
        assert law.lower() in shown.lower()
    assert "docs" in shown
    assert "disk at 2 bytes a token" in shown
    assert "at sequence length 4,096" in shown
    assert all(trainer in shown for trainer in ("megatron", "olmo-core", "nanosets", "litdata", "torchtitan"))
    assert "<- threshold" in shown
    assert "--gpus and --days" in refused("plan", small / "small.yaml", "--root", small / "root", "--gpus", 8)


def test_dedup_report_explains_the_largest_clusters(small: Path) -> None:
    shown = call("dedup-report", "--root", small / "root", "--largest", 2).stdout
    assert shown.count("\ncluster ") == 2
    assert "(stays)" in shown
    assert "\npages that stay, by the size of their cluster" in shown  # a chain of pages has several that stay


def test_export_writes_the_corpus_or_a_domain_and_says_how_to_open_it(small: Path, tmp_path: Path) -> None:
    done = call("export", "megatron-link", tmp_path / "m", "--root", small / "root", "--domain", "docs")
    assert done.exit_code == 0, done.stderr
    assert "--data-path" in done.stdout
    assert list((tmp_path / "m").glob("*.idx"))
    assert "docs" in refused("export", "olmo", tmp_path / "x", "--root", small / "root", "--domain", "dogs")
