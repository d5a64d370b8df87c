use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::fs;

type Loaded = Vec<(u64, String)>;

fn open(path: &Path) -> (Journal, Loaded, Vec<Damage>) {
    let mut loaded = Vec::new();
    let header = json!({"stage": "test", "key": "k1"});
    let (journal, damage) =
        Journal::open(path, &header, |offset, json| loaded.push((offset, json.to_owned()))).unwrap();
    (journal, loaded, damage)
}

fn texts(loaded: &Loaded) -> Vec<&str> {
    loaded.iter().map(|(_, text)| text.as_str()).collect()
}

const RECORDS: [&str; 3] = [r#"{"id":"a","x":0.1}"#, r#"{"id":"b","text":"Grüße ☃"}"#, r#"{"id":"c"}"#];

fn written(path: &Path) -> Vec<u8> {
    let (mut journal, loaded, _) = open(path);
    assert!(loaded.is_empty());
    for record in RECORDS {
        journal.append(record).unwrap();
    }
    fs::read(path).unwrap()
}

#[test]
fn a_line_is_checksum_space_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let (mut journal, ..) = open(&path);
    journal.append("123456789").unwrap();
    // The check value of CRC-32 (IEEE 802.3).
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().nth(1), Some("cbf43926 123456789"));
}

#[test]
fn a_journal_cut_at_any_byte_keeps_complete_records_and_continues() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let bytes = written(&path);
    let ends: Vec<usize> = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
    for length in 0..=bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let complete = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
        let (mut journal, loaded, damage) = open(&path);
        assert_eq!(texts(&loaded), RECORDS[..complete], "cut at byte {length}");
        assert!(damage.is_empty(), "cut at byte {length}: {damage:?}");
        for record in &RECORDS[complete..] {
            journal.append(record).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "cut at byte {length}");
    }
}

#[test]
fn a_damaged_byte_costs_its_records_and_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let bytes = written(&path);
    let header = bytes.iter().position(|b| *b == b'\n').unwrap();
    for index in header + 1..bytes.len() - 1 {
        let mut damaged = bytes.clone();
        damaged[index] ^= 0x15;
        fs::write(&path, &damaged).unwrap();
        let (_, loaded, damage) = open(&path);
        let kept = texts(&loaded);
        assert!(kept.iter().all(|text| RECORDS.contains(text)), "byte {index}: {kept:?}");
        assert!(!damage.is_empty(), "byte {index}");
        // A lost or added line break affects two records at most.
        assert!(kept.len() > usize::from(bytes[index] != b'\n'), "byte {index}: {kept:?}");
    }
    fs::write(&path, String::from_utf8(bytes).unwrap().replace("Grüße", "Gruesse")).unwrap();
    let (_, loaded, damage) = open(&path);
    assert_eq!(texts(&loaded), [RECORDS[0], RECORDS[2]]);
    assert_eq!((damage[0].line, damage.len()), (3, 1));
    assert!(damage[0].reason.starts_with("has the checksum"), "{damage:?}");
}

#[test]
fn another_header_is_refused_and_so_is_one_of_a_later_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let refused = |written: serde_json::Value, expected: serde_json::Value| {
        drop(Journal::open(&path, &written, |_, _| {}).unwrap());
        let before = fs::read(&path).unwrap();
        let error = Journal::open(&path, &expected, |_, _| {}).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), before);
        fs::remove_file(&path).unwrap();
        error
    };
    let error = refused(json!({"format": 1, "model": "a"}), json!({"format": 1, "model": "b"}));
    assert!(matches!(error, JournalError::OtherHeader { .. }), "{error}");
    let error = refused(json!({"format": 2, "pair": ["a", "b"]}), json!({"format": 1, "model": "a"}));
    assert!(matches!(error, JournalError::NewerFormat { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("continue with the version that wrote it"), "{error}");
}

#[test]
fn a_damaged_header_is_rewritten_and_the_damaged_file_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, kept) = (folder.path().join("j"), folder.path().join("j.damaged"));
    let bytes = written(&path);
    let header = bytes.iter().position(|b| *b == b'\n').unwrap();
    for index in 0..=header {
        let mut damaged = bytes.clone();
        damaged[index] ^= 0x15;
        fs::write(&path, &damaged).unwrap();
        let (mut journal, loaded, damage) = open(&path);
        // Without the line break of the header, the first record is lost too.
        let lost = usize::from(index == header);
        assert_eq!(texts(&loaded), RECORDS[lost..], "byte {index}");
        assert_eq!((damage.len(), damage[0].line), (1, 1), "byte {index}: {damage:?}");
        assert!(damage[0].message(&path).contains("it is rewritten"), "{}", damage[0].message(&path));
        assert_eq!(fs::read(&kept).unwrap(), damaged, "byte {index}");
        journal.append("{}").unwrap();
        drop(journal);
        let (_, loaded, damage) = open(&path);
        assert_eq!((loaded.len(), damage), (RECORDS.len() - lost + 1, vec![]), "byte {index}");
    }
    assert!(!folder.path().join("j.new").exists());
}

#[test]
fn special_files_are_refused_with_their_kind() {
    let folder = tempfile::tempdir().unwrap();
    let error = Journal::open(folder.path(), &json!({}), |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("is a directory, not a file"), "{error}");
    #[cfg(unix)]
    for endless in ["/dev/zero", "/dev/full"] {
        let error = Reader::open(Path::new(endless)).unwrap_err();
        assert!(error.to_string().contains("is a device"), "{error}");
    }
}

#[test]
fn records_are_read_at_their_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let (mut journal, ..) = open(&path);
    let offsets: Vec<u64> = RECORDS.iter().map(|record| journal.append(record).unwrap()).collect();
    let mut reader = Reader::open(&path).unwrap();
    for (offset, record) in offsets.iter().zip(RECORDS).rev() {
        assert_eq!(reader.read_at(*offset).unwrap(), record);
    }
    assert!(matches!(reader.read_at(offsets[1] + 1), Err(JournalError::Damaged { .. })));
    assert!(matches!(reader.read_at(1 << 20), Err(JournalError::Damaged { .. })));
    drop(journal);
    let (_, loaded, _) = open(&path);
    assert_eq!(loaded.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), offsets);
}

#[test]
fn a_second_writer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let (journal, ..) = open(&path);
    let error = Journal::open(&path, &json!({}), |_, _| {}).unwrap_err();
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    drop(journal);
    open(&path);
}

/// Linux's `/dev/full` fails every write as a full disk does.
#[cfg_attr(not(target_os = "linux"), ignore = "needs `/dev/full`, which Linux has")]
#[test]
fn a_full_disk_is_an_error_that_names_the_path() {
    let path = Path::new("/dev/full");
    let file = OpenOptions::new().append(true).open(path).unwrap();
    let mut journal = Journal {
        path: path.to_owned(),
        file,
        length: 0,
        unsynced: 0,
        synced_at: Instant::now(),
        is_new: true,
        line: Vec::new(),
    };
    let error = journal.append("{}").unwrap_err();
    let JournalError::Io { doing, path, source } = error else { panic!("{error}") };
    assert_eq!(
        (doing, path.as_path(), source.kind()),
        ("append to", Path::new("/dev/full"), io::ErrorKind::StorageFull)
    );
}

#[test]
fn a_line_break_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, ..) = open(&folder.path().join("j"));
    assert!(matches!(journal.append("{\n}"), Err(JournalError::Damaged { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn records_survive_the_file(texts in proptest::collection::vec(any::<String>(), 0..20)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let lines: Vec<String> = texts.iter().map(|text| json!({"text": text}).to_string()).collect();
        let (mut journal, ..) = open(&path);
        for line in &lines {
            journal.append(line).unwrap();
        }
        drop(journal);
        let (_, loaded, damage) = open(&path);
        prop_assert!(damage.is_empty());
        let read: Vec<String> = loaded.into_iter().map(|(_, text)| text).collect();
        prop_assert_eq!(read, lines);
    }
}
