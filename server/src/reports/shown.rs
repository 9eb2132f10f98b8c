//! The rows of a finished table on a page: read from the file itself, so that both are the same.
use super::Download;
use app::{error::Error, reports::model::Format};
use serde_json::{Map, Value};

/// How many rows are shown here; the file has the rest.
pub const MOST: usize = 1_000;

/// A part of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Are there more behind them?
    pub more: bool,
}

/// Can it be shown here?
pub fn is_shown(format: Format) -> bool {
    matches!(format, Format::Csv | Format::Lines)
}

/// So many rows from one of them on.
pub async fn rows(mut download: Download, from: usize, count: usize) -> Result<Rows, Error> {
    let (format, mut bytes) = (download.format, Vec::new());
    loop {
        let part = download.next().await?;
        let ended = part.is_none();
        bytes.extend(part.unwrap_or_default());
        let read = match format {
            Format::Csv => csv(&bytes, ended),
            _ => lines(&bytes, ended),
        };
        let Rows { columns, mut rows, .. } = read;
        if ended || rows.len() > from + count {
            let more = rows.len() > from + count;
            rows = rows.into_iter().skip(from).take(count).collect();
            return Ok(Rows { columns, rows, more });
        }
    }
}

/// The whole records of a beginning: the last one may go on in what was not read yet.
fn csv(bytes: &[u8], ended: bool) -> Rows {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let cells = |record: &csv::StringRecord| record.iter().map(ToOwned::to_owned).collect::<Vec<_>>();
    let columns = reader.headers().map(cells).unwrap_or_default();
    let mut rows: Vec<Vec<String>> = reader.records().map_while(Result::ok).map(|record| cells(&record)).collect();
    if !ended {
        rows.pop();
    }
    Rows { columns, rows, more: false }
}

fn lines(bytes: &[u8], ended: bool) -> Rows {
    let whole = match bytes.iter().rposition(|byte| *byte == b'\n') {
        _ if ended => bytes,
        Some(last) => &bytes[..last],
        None => &[],
    };
    let objects: Vec<Map<String, Value>> =
        whole.split(|byte| *byte == b'\n').map_while(|line| serde_json::from_slice(line).ok()).collect();
    // What is empty is left out of a line: the columns are those of all of them.
    let mut columns: Vec<String> = Vec::new();
    for object in &objects {
        let new: Vec<&String> = object.keys().filter(|key| !columns.contains(key)).collect();
        columns.extend(new.into_iter().cloned().collect::<Vec<_>>());
    }
    let cell = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let rows = objects.iter().map(|object| columns.iter().map(|column| cell(object.get(column))).collect()).collect();
    Rows { columns, rows, more: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_read_as_far_as_it_is_whole() {
        let text = b"a,b\r\n1,\"two\r\nlines\"\r\n3,fo";
        let read = csv(text, false);
        assert_eq!(read.columns, ["a", "b"]);
        assert_eq!(read.rows, [["1", "two\r\nlines"]]);
        assert_eq!(csv(text, true).rows.len(), 2);
        let text = b"{\"a\":\"1\"}\n{\"b\":\"2\"}\n{\"a\":";
        let read = lines(text, false);
        assert_eq!((read.columns.as_slice(), read.rows.len()), (&["a".to_owned(), "b".to_owned()][..], 2));
        assert_eq!(read.rows[1], ["", "2"]);
        assert_eq!(csv(b"", true), Rows::default());
    }
}
