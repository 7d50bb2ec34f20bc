from __future__ import annotations

import csv
import io
import json
import zipfile

from ui.results.downloads import csv_archive, report_bytes, result_bytes, to_csv
from ui.results.reference import Reference
from ui.results.report import ReportedRun


def test_archive_has_one_readable_table_per_figure(make_view):
    view = make_view()
    with zipfile.ZipFile(io.BytesIO(csv_archive(view, Reference()))) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        rows = list(csv.DictReader(io.StringIO(archive.read("accuracy_by_class.csv").decode())))
    assert len(names) == len(set(names)) > 10
    assert len(rows) == 10
    assert (rows[3]["name"], rows[3]["forgotten"], rows[3]["after_percent"]) == ("3", "True", "0.0")


def test_same_data_gives_the_same_archive(make_view):
    view = make_view()
    assert csv_archive(view, Reference()) == csv_archive(view, Reference())


def test_tables_hold_all_classes_even_where_the_picture_does_not(make_view):
    with zipfile.ZipFile(io.BytesIO(csv_archive(make_view(classes=100), Reference()))) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("accuracy_by_class.csv").decode())))
    assert len(rows) == 100


def test_unknown_values_are_empty_cells():
    assert to_csv([{"a": 1, "b": None}, {"a": 2, "c": "x, y"}]) == 'a,b,c\n1,,\n2,,"x, y"\n'
    assert to_csv([]) == "\n"


def test_result_is_the_record(make_view):
    view = make_view()
    assert json.loads(result_bytes(view.result)) == view.result


def test_report_is_text_in_utf8(make_view):
    assert report_bytes([ReportedRun(make_view(), Reference(), "")]).decode().startswith("<!doctype html>")
