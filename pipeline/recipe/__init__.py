"""The one room that knows all stages: sections of a mixture file, products that follow from others, views of a root."""

from pipeline.recipe.answers import (
    compile_lists,
    compile_robots,
    duplicates_text,
    judged_text,
    raw_record,
    rules,
    tokenizer_identity,
    train_classifier,
)
from pipeline.recipe.exchanges import survey_addresses
from pipeline.recipe.file import load, modules_beside
from pipeline.recipe.input import note_tried
from pipeline.recipe.products import Recipe
from pipeline.recipe.reach import empty_domains, labels_there, lacking_domains, wanted_domains
from pipeline.recipe.sections import MODEL_SUFFIXES, dump
from stages.exchange_file import problem as exchange_problem
from stages.rules.row_files import rows as file_rows
from stages.rules.row_files import sha256 as file_digest
from stages.tokens import page_ids
from stages.verify import verify as verify_corpus

__all__ = [
    "MODEL_SUFFIXES", "Recipe", "compile_lists", "compile_robots", "dump", "duplicates_text", "empty_domains",
    "exchange_problem", "file_digest", "file_rows", "judged_text", "labels_there", "lacking_domains", "load",
    "modules_beside", "note_tried", "page_ids", "raw_record", "rules", "survey_addresses", "tokenizer_identity",
    "train_classifier", "verify_corpus", "wanted_domains",
]  # fmt: skip
