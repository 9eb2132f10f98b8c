//! A table on its way into a file: CSV (RFC 4180), XLSX, JSON Lines, or PDF.
use super::{
    printed,
    work::{Stopped, Working},
};
use app::reports::model::{Format, PRINTED, SHEET, guarded};

pub struct Table {
    columns: &'static [&'static str],
    /// Cells stay as they are, also those that a spreadsheet would compute.
    raw: bool,
    pub rows: u64,
    form: Form,
}

enum Form {
    Csv(Box<csv::Writer<Vec<u8>>>),
    Lines(Vec<u8>),
    Xlsx(Box<rust_xlsxwriter::Workbook>),
    Pdf(Vec<Vec<String>>),
}

/// RFC 4180: lines end in CR LF.
fn csv_writer() -> Box<csv::Writer<Vec<u8>>> {
    Box::new(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new()))
}

fn broken() -> Stopped {
    Stopped::Failed("A row could not be written.".into())
}

impl Table {
    pub fn new(format: Format, columns: &'static [&'static str], raw: bool) -> Result<Self, Stopped> {
        let form = match format {
            Format::Xlsx => {
                let mut book = rust_xlsxwriter::Workbook::new();
                book.add_worksheet();
                Form::Xlsx(Box::new(book))
            }
            Format::Lines => Form::Lines(Vec::new()),
            Format::Pdf => Form::Pdf(Vec::new()),
            Format::Csv | Format::Zip | Format::Text => Form::Csv(csv_writer()),
        };
        let mut table = Self { columns, raw, rows: 0, form };
        if matches!(table.form, Form::Csv(_) | Form::Xlsx(_)) {
            let heads: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
            table.write(0, &heads)?;
        }
        Ok(table)
    }

    /// A row, as many cells as there are columns.
    pub fn row(&mut self, cells: Vec<String>) -> Result<(), Stopped> {
        self.rows += 1;
        if matches!(self.form, Form::Xlsx(_)) && self.rows > SHEET {
            return Err(Stopped::Failed("A sheet takes 100,000 rows. Ask for less, or for CSV.".into()));
        }
        if matches!(self.form, Form::Pdf(_)) && self.rows > PRINTED {
            return Err(Stopped::Failed("A PDF takes 5,000 rows. Ask for less, or for CSV.".into()));
        }
        let computes = !self.raw && matches!(self.form, Form::Csv(_) | Form::Xlsx(_));
        let cells: Vec<String> = if computes { cells.iter().map(|cell| guarded(cell)).collect() } else { cells };
        self.write(self.rows, &cells)
    }

    fn write(&mut self, row: u64, cells: &[String]) -> Result<(), Stopped> {
        match &mut self.form {
            Form::Csv(writer) => writer.write_record(cells).map_err(|_| broken()),
            Form::Lines(lines) => {
                // What is empty is left out.
                let pairs = self.columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
                let object: serde_json::Map<String, serde_json::Value> =
                    pairs.map(|(column, cell)| ((*column).to_owned(), cell.clone().into())).collect();
                serde_json::to_writer(&mut *lines, &object).map_err(|_| broken())?;
                lines.push(b'\n');
                Ok(())
            }
            Form::Pdf(rows) => {
                rows.push(cells.to_vec());
                Ok(())
            }
            Form::Xlsx(book) => {
                let sheet = book.worksheet_from_index(0).map_err(|_| broken())?;
                let row = u32::try_from(row).map_err(|_| broken())?;
                for (column, cell) in (0_u16..).zip(cells) {
                    // A cell takes at most 32,767 characters; nothing here has as many.
                    sheet.write_string(row, column, cell).map_err(|_| broken())?;
                }
                Ok(())
            }
        }
    }

    /// What was written since the last call, where it can be let go.
    pub fn take(&mut self) -> Vec<u8> {
        match &mut self.form {
            Form::Csv(writer) => std::mem::replace(writer, csv_writer()).into_inner().unwrap_or_default(),
            Form::Lines(bytes) => std::mem::take(bytes),
            Form::Xlsx(_) | Form::Pdf(_) => Vec::new(),
        }
    }

    /// The rest.
    pub async fn finish(self, working: &Working<'_>) -> Result<Vec<u8>, Stopped> {
        match self.form {
            Form::Csv(writer) => writer.into_inner().map_err(|_| broken()),
            Form::Lines(bytes) => Ok(bytes),
            Form::Pdf(rows) => printed::print(working, printed::table(working, self.columns, rows)).await,
            Form::Xlsx(mut book) => {
                let saved = tokio::task::spawn_blocking(move || book.save_to_buffer()).await;
                let saved = saved.map_err(|_| broken())?;
                saved.map_err(|_| Stopped::Failed("The sheet could not be written.".into()))
            }
        }
    }
}
