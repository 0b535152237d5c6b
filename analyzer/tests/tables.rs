//! `--parquet`, read back by the library that wrote it, and `--csv` beside it.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use assert_cmd::Command;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use std::fs::File;
use std::path::{Path, PathBuf};

fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file)
}

fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .flat_map(|day| std::fs::read_dir(day.expect("an entry").path()).expect("a day"))
        .map(|part| part.expect("an entry").path())
        .collect();
    all.sort();
    all
}

#[test]
fn a_folder_of_tables_holds_every_connection_by_day() {
    let dir = tempfile::tempdir().expect("a folder");
    let tables = dir.path().join("tables");
    for run in 1..=2 {
        Command::cargo_bin("clw-analyze")
            .expect("the binary")
            .arg(data("openclaw"))
            .arg("--parquet")
            .arg(&tables)
            .assert()
            .success()
            .stdout("");
        let parts = parts(&tables);
        assert_eq!(parts.len(), run, "an earlier analysis stays: {parts:?}");
        assert!(
            parts[0].ends_with("date=2026-11-20/part-00000.parquet"),
            "{parts:?}"
        );
    }
    let reader = SerializedFileReader::new(File::open(&parts(&tables)[1]).expect("open")).expect("a table");
    let names: Vec<_> = reader
        .metadata()
        .file_metadata()
        .schema_descr()
        .columns()
        .iter()
        .map(|column| column.name().to_owned())
        .collect();
    let at = |name: &str| names.iter().position(|n| n == name).expect(name);
    let rows: Vec<_> = reader
        .get_row_iter(None)
        .expect("rows")
        .map(|row| row.expect("a row"))
        .collect();
    let with = |verdict: &str| {
        rows.iter()
            .filter(|row| row.get_string(at("verdict")).is_ok_and(|v| v == verdict))
            .count()
    };
    assert_eq!(with("clw-server-restart"), 6);
    assert_eq!(with("clw-pairing-required"), 3);
    let reset = rows
        .iter()
        .find(|row| {
            row.get_string(at("rst_class"))
                .is_ok_and(|class| class == "abort")
        })
        .expect("a reset");
    assert!(
        reset.get_long(at("close_code")).is_err(),
        "no close frame is null, not 0"
    );
    assert!(reset.get_timestamp_micros(at("start")).expect("a time") > 1_700_000_000_000_000);

    let csv = Command::cargo_bin("clw-analyze")
        .expect("the binary")
        .arg(data("openclaw"))
        .args(["--csv", "-"])
        .assert()
        .success();
    let csv = String::from_utf8(csv.get_output().stdout.clone()).expect("UTF-8");
    assert_eq!(csv.lines().count(), rows.len() + 1);
    assert_eq!(csv.lines().next().expect("a header"), names.join(","));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let failed = Command::cargo_bin("clw-analyze")
        .expect("the binary")
        .arg(data("openclaw"))
        .args(["--parquet", "/proc/nowhere"])
        .assert()
        .code(1);
    assert!(String::from_utf8_lossy(&failed.get_output().stderr).contains("/proc/nowhere"));
}
