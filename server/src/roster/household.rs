//! The rows of a roster as households and their members, with every cell as the value it stands for.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_survey::certificate_number::{CertificateNumber, InvalidCertificateNumber};
use ruhu_survey::change::{DocumentKind, Value};
use ruhu_survey::field_table::{Field, InputError, Type, field_by_path, parse_text};

use super::columns::{Column, Meaning};
use super::sheet::{Row, Sheet};

/// The longest household number, in characters (domain model, 3.1).
const NUMBER_CHARS_MAX: usize = 20;

/// Why a row or a cell was left out. Nothing here repeats a name or a number of a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The line is not a row of CSV.
    #[error("the line cannot be read as CSV")]
    Broken,
    /// A column that tells people or households apart is empty.
    #[error("{0} is empty")]
    Missing(&'static str),
    /// The household's number is too long.
    #[error("户编号 has more than {NUMBER_CHARS_MAX} characters")]
    Number,
    /// The name is too short, too long, or has control characters.
    #[error("姓名 must have 2 to 25 characters")]
    Name,
    /// The certificate number does not hold.
    #[error("证件号码: {0}")]
    Certificate(InvalidCertificateNumber),
    /// The certificate number is of an area that is issued to nobody.
    #[error("证件号码: the area is issued to nobody; invented people need allow_unissued_area = true")]
    UnissuedArea,
    /// The number was stored as a number and has lost its last digits.
    #[error("{0} was stored as a number and has lost digits: format the column as text and enter it again")]
    Inexact(String),
    /// The same person stands in an earlier line.
    #[error("the same 证件号码 stands in line {0}")]
    Twice(u64),
    /// The cell is not a value of its field; the row counts without it.
    #[error("{heading}: {problem}; the row is imported without it")]
    Cell {
        /// The heading of its column.
        heading: String,
        /// What is wrong.
        problem: CellProblem,
    },
    /// The cell differs from that of an earlier row of the household; the first counts.
    #[error("{heading} differs from line {line}, which counts")]
    Differs {
        /// The heading of its column.
        heading: String,
        /// The line that counts.
        line: u64,
    },
    /// The household has another number of rows than 人数 says.
    #[error("人数 says {said}, the household has {rows} rows")]
    People {
        /// What the column says.
        said: String,
        /// How many rows there are.
        rows: usize,
    },
}

/// What is wrong with a cell, without the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CellProblem {
    /// Not one of the labels.
    #[error("not one of the known labels")]
    Label,
    /// Not a number.
    #[error("not a number")]
    Number,
    /// Neither yes nor no.
    #[error("neither 是 nor 否")]
    YesOrNo,
    /// Not of the form.
    #[error("not of the form that the field has")]
    Form,
}

impl From<InputError> for CellProblem {
    fn from(error: InputError) -> Self {
        match error {
            InputError::Code { .. } => Self::Label,
            InputError::Number { .. } => Self::Number,
            InputError::YesOrNo { .. } => Self::YesOrNo,
            _ => Self::Form,
        }
    }
}

/// A line with a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Its line in the file or sheet, from 1.
    pub line: u64,
    /// What is wrong.
    pub problem: Problem,
}

/// Cells by the key they stand for, below the household or the member.
pub type Cells = BTreeMap<String, Value>;

/// A person of a roster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The line of the person's row.
    pub line: u64,
    /// The person's number on the roster, or nothing.
    pub number: String,
    /// The certificate number, or nothing.
    pub certificate: String,
    /// The name.
    pub name: String,
    /// True if the person is the head of the household.
    pub is_head: bool,
    /// What the row says about the person, by the key below the member.
    pub cells: Cells,
}

/// A household of a roster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Household {
    /// What the rows say about the household, by the key.
    pub cells: Cells,
    /// Its people in the order of the rows.
    pub people: Vec<Person>,
    /// The line that each household cell was taken from.
    lines: BTreeMap<String, u64>,
}

/// A roster, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Households {
    /// The households by their number.
    pub by_number: BTreeMap<String, Household>,
    /// Rows that are left out.
    pub bad_rows: Vec<BadLine>,
    /// Cells that are left out, or that contradict others.
    pub bad_cells: Vec<BadLine>,
    /// Rows of other villages, by the name of the village.
    pub elsewhere: BTreeMap<String, usize>,
}

/// Which rows count.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The village's name.
    pub village: &'a str,
    /// True if invented people may be imported.
    pub allow_unissued_area: bool,
}

/// Reads the rows of a sheet.
#[must_use]
pub fn read(sheet: &Sheet, columns: &[Column], rules: Rules<'_>) -> Households {
    let mut reading = Reading { sheet, columns, rules, seen: BTreeMap::new(), found: Households::default() };
    let elsewhere = reading.rows_elsewhere();
    for (row, elsewhere) in sheet.rows.iter().zip(elsewhere) {
        match elsewhere {
            Some(name) => *reading.found.elsewhere.entry(name).or_default() += 1,
            None => reading.row(row),
        }
    }
    reading.compare_counts();
    reading.found
}

struct Reading<'a> {
    sheet: &'a Sheet,
    columns: &'a [Column],
    rules: Rules<'a>,
    seen: BTreeMap<String, u64>,
    found: Households,
}

impl Reading<'_> {
    /// The name of the other village of each row that belongs to one. A sheet of a single village is
    /// taken as it is: its name is often written otherwise than in the official list.
    fn rows_elsewhere(&self) -> Vec<Option<String>> {
        let column = self.columns.iter().find(|column| column.means == Meaning::Village);
        let Some(index) = column.map(|column| column.index) else { return vec![None; self.sheet.rows.len()] };
        let named: Vec<&str> = self.sheet.rows.iter().map(|row| cell(row, index)).collect();
        let names: BTreeSet<String> =
            named.iter().filter(|name| !name.is_empty()).map(|name| bare_village(name)).collect();
        let ours = bare_village(self.rules.village);
        let other = |name: &str| names.len() > 1 && !name.is_empty() && bare_village(name) != ours;
        named.into_iter().map(|name| other(name).then(|| name.to_owned())).collect()
    }

    fn row(&mut self, row: &Row) {
        match self.person(row) {
            Ok((number, person)) => {
                self.household_cells(row, &number);
                self.found.by_number.entry(number).or_default().people.push(person);
            }
            Err(problem) => self.found.bad_rows.push(BadLine { line: row.line, problem }),
        }
    }

    fn person(&mut self, row: &Row) -> Result<(String, Person), Problem> {
        if row.broken {
            return Err(Problem::Broken);
        }
        let number = self.needed(row, |column| column.means == Meaning::Number, "户编号")?;
        if number.chars().count() > NUMBER_CHARS_MAX {
            return Err(Problem::Number);
        }
        let name = self.name(row)?;
        let certificate = self.certificate(row)?;
        let person_column = self.columns.iter().find(|column| column.means == Meaning::Person);
        let person = person_column.map_or("", |column| cell(row, column.index));
        let mut person = Person {
            line: row.line,
            number: person.to_owned(),
            certificate: certificate.unwrap_or_default(),
            name,
            ..Person::default()
        };
        if let Some(earlier) = self.seen_before(&person) {
            return Err(Problem::Twice(earlier));
        }
        person.cells = self.member_cells(row);
        let relation = person.cells.get("relation_to_head");
        person.is_head = relation == Some(&Value::Text("head".to_owned()));
        Ok((number, person))
    }

    fn name(&self, row: &Row) -> Result<String, Problem> {
        let name = self.needed(row, |column| path_is(column, "member/full_name"), "姓名")?;
        let field = field_by_path(DocumentKind::Household, "member/full_name").ok_or(Problem::Name)?;
        match parse_text(field, &name) {
            Ok(Value::Text(name)) => Ok(name),
            _ => Err(Problem::Name),
        }
    }

    fn needed(
        &self,
        row: &Row,
        is_it: impl Fn(&Column) -> bool,
        heading: &'static str,
    ) -> Result<String, Problem> {
        let column = self.columns.iter().find(|column| is_it(column)).ok_or(Problem::Missing(heading))?;
        if row.inexact.contains(&column.index) {
            return Err(Problem::Inexact(heading.to_owned()));
        }
        let text = cell(row, column.index);
        if text.is_empty() { Err(Problem::Missing(heading)) } else { Ok(text.to_owned()) }
    }

    /// The certificate number of a row; nothing when the person has none.
    fn certificate(&self, row: &Row) -> Result<Option<String>, Problem> {
        let column = self.columns.iter().find(|column| path_is(column, "member/cert_no"));
        let Some(column) = column else { return Ok(None) };
        if row.inexact.contains(&column.index) {
            return Err(Problem::Inexact("证件号码".to_owned()));
        }
        let text = cell(row, column.index);
        if text.is_empty() || CertificateNumber::is_none(text) {
            return Ok(None);
        }
        let number = CertificateNumber::parse(text).map_err(Problem::Certificate)?;
        if number.is_unissued_area() && !self.rules.allow_unissued_area {
            return Err(Problem::UnissuedArea);
        }
        Ok(Some(number.as_str().to_owned()))
    }

    fn seen_before(&mut self, person: &Person) -> Option<u64> {
        if person.certificate.is_empty() {
            return None;
        }
        // A disability card begins with the identity number of the same person.
        let identity: String = person.certificate.chars().take(18).collect();
        let line = *self.seen.entry(identity).or_insert(person.line);
        (line != person.line).then_some(line)
    }

    fn member_cells(&mut self, row: &Row) -> Cells {
        let mut cells = Cells::new();
        for column in self.columns {
            let Some((field, path)) = member_field(column) else { continue };
            if path == "cert_no" {
                cells.extend(certificate_cells(cell(row, column.index)));
            } else {
                cells.extend(self.values(row, column, field, path));
            }
        }
        cells
    }

    fn household_cells(&mut self, row: &Row, number: &str) {
        for column in self.columns {
            let Some(field) = column.field.filter(|_| member_field(column).is_none()) else { continue };
            let values = self.values(row, column, field, &field.path);
            let household = self.found.by_number.entry(number.to_owned()).or_default();
            for (key, value) in values {
                let line = *household.lines.entry(key.clone()).or_insert(row.line);
                let first = household.cells.entry(key).or_insert_with(|| value.clone());
                if *first != value {
                    let heading = heading_of(self.sheet, column.index);
                    let problem = Problem::Differs { heading, line };
                    self.found.bad_cells.push(BadLine { line: row.line, problem });
                }
            }
        }
    }

    /// The keys and values that a cell stands for: none when it is blank, several when it is a set.
    fn values(&mut self, row: &Row, column: &Column, field: &Field, path: &str) -> Vec<(String, Value)> {
        let text = cell(row, column.index);
        if text.is_empty() {
            return Vec::new();
        }
        let read = if row.inexact.contains(&column.index) {
            Err(Problem::Inexact(heading_of(self.sheet, column.index)))
        } else {
            values_of(field, path, text)
                .map_err(|problem| Problem::Cell { heading: heading_of(self.sheet, column.index), problem })
        };
        read.unwrap_or_else(|problem| {
            self.found.bad_cells.push(BadLine { line: row.line, problem });
            Vec::new()
        })
    }

    fn compare_counts(&mut self) {
        let Some(column) = self.columns.iter().find(|column| column.means == Meaning::People) else { return };
        let by_line: BTreeMap<u64, &Row> = self.sheet.rows.iter().map(|row| (row.line, row)).collect();
        for household in self.found.by_number.values() {
            let first = household.people.first().and_then(|person| by_line.get(&person.line));
            let Some(said) = first.map(|row| cell(row, column.index)).filter(|said| !said.is_empty()) else {
                continue;
            };
            let rows = household.people.len();
            if said.parse() != Ok(rows) {
                let line = household.people.first().map_or(0, |person| person.line);
                let said = said.chars().take(10).collect();
                self.found.bad_cells.push(BadLine { line, problem: Problem::People { said, rows } });
            }
        }
    }
}

fn cell(row: &Row, index: usize) -> &str {
    row.cells.get(index).map_or("", String::as_str)
}

fn heading_of(sheet: &Sheet, index: usize) -> String {
    sheet.headings.get(index).cloned().unwrap_or_default()
}

fn path_is(column: &Column, path: &str) -> bool {
    column.field.is_some_and(|field| field.path == path)
}

/// The field of a member's column, and its key below the member.
fn member_field(column: &Column) -> Option<(&'static Field, &'static str)> {
    let field = column.field?;
    Some((field, field.path.strip_prefix("member/")?))
}

/// 琵琶村委会, 琵琶村 and 琵琶 are one village.
fn bare_village(name: &str) -> String {
    let endings = ["村民委员会", "居民委员会", "村委会", "居委会", "社区", "村"];
    let bare = endings.iter().find_map(|ending| name.strip_suffix(ending)).filter(|bare| !bare.is_empty());
    bare.unwrap_or(name).to_owned()
}

/// The number and what kind of certificate it is, which its length tells.
fn certificate_cells(text: &str) -> Vec<(String, Value)> {
    let kind = |code: &str| ("certificate_type".to_owned(), Value::Text(code.to_owned()));
    if CertificateNumber::is_none(text) {
        return vec![kind("none")];
    }
    let Ok(number) = CertificateNumber::parse(text) else { return Vec::new() };
    let card = if number.disability().is_some() { "disability_card" } else { "identity_card" };
    vec![kind(card), ("cert_no".to_owned(), Value::Text(number.as_str().to_owned()))]
}

fn values_of(field: &Field, path: &str, text: &str) -> Result<Vec<(String, Value)>, CellProblem> {
    match &field.kind {
        Type::Set { .. } => elements(field, path, text),
        Type::Month => Ok(vec![(path.to_owned(), checked(field, &month(text))?)]),
        _ => Ok(vec![(path.to_owned(), checked(field, text)?)]),
    }
}

fn checked(field: &Field, text: &str) -> Result<Value, CellProblem> {
    Ok(parse_text(field, text)?)
}

/// Several states joined by a comma, a plus or a list mark.
fn elements(field: &Field, path: &str, text: &str) -> Result<Vec<(String, Value)>, CellProblem> {
    let list = field.codes().ok_or(CellProblem::Label)?;
    let labels = text.split([',', '，', '、', ';', '；', '+', '|']).map(str::trim);
    let element = |label: &str| {
        let code = list.find(label).ok_or(CellProblem::Label)?;
        Ok((format!("{path}/{}", code.code), Value::Bool(true)))
    };
    labels.filter(|label| !label.is_empty()).map(element).collect()
}

/// `2023-05`, `2023-05-01`, `2023/5`, `2023.05`, `202305` and `2023年5月` are one month.
fn month(text: &str) -> String {
    let mut parts = text.split(|letter: char| !letter.is_ascii_digit()).filter(|part| !part.is_empty());
    match (parts.next(), parts.next()) {
        (Some(year), Some(month)) => format!("{year}-{month:0>2}"),
        (Some(both), None) if both.len() == 6 || both.len() == 8 => {
            let (year, rest) = both.split_at(4);
            format!("{year}-{}", rest.split_at(2).0)
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::columns::known;
    use crate::roster::sheet;

    const HEADER: &str =
        "行政村,自然村,户编号,人编号,姓名,证件号码,人数,与户主关系,健康状况,户联系电话,风险识别时间";

    fn rules() -> Rules<'static> {
        Rules { village: "永兴村委会", allow_unissued_area: true }
    }

    fn read_rows(rows: &str, rules: Rules<'_>) -> Households {
        let sheet = sheet::read(format!("{HEADER}\n{rows}").as_bytes()).unwrap();
        let (columns, unknown) = known(&sheet.headings);
        assert_eq!(unknown, Vec::<String>::new());
        read(&sheet, &columns, rules)
    }

    fn problems(lines: &[BadLine]) -> Vec<String> {
        lines.iter().map(|bad| format!("{}: {}", bad.line, bad.problem)).collect()
    }

    #[test]
    fn rows_of_one_number_are_one_household() {
        let found = read_rows(
            "永兴村,三组,1001,01,李春生,439921197603150018,2,户主,健康,13900000001,2023-05\n\
             永兴村,三组,1001,02,王秀英,439921197808220024,2,配偶,长期慢性病、残疾,13900000001,2023年5月\n",
            rules(),
        );
        assert_eq!(problems(&found.bad_rows), [""; 0]);
        assert_eq!(problems(&found.bad_cells), [""; 0]);
        let household = &found.by_number["1001"];
        assert_eq!(household.cells["group_name"], Value::Text("三组".to_owned()));
        assert_eq!(household.cells["identified_month"], Value::Text("2023-05".to_owned()));
        assert!(household.people[0].is_head);
        let wife = &household.people[1].cells;
        assert_eq!(wife["relation_to_head"], Value::Text("spouse".to_owned()));
        assert_eq!(wife["health_status/chronic"], Value::Bool(true));
        assert_eq!(wife["health_status/disabled"], Value::Bool(true));
        assert_eq!(wife["certificate_type"], Value::Text("identity_card".to_owned()));
    }

    #[test]
    fn a_bad_row_is_named_by_line_and_left_out() {
        let found = read_rows(
            "永兴村,三组,,01,李春生,439921197603150018,1,户主,健康,,\n\
             永兴村,三组,1002,01,,439921197603150018,1,户主,健康,,\n\
             永兴村,三组,1003,01,李春生,439921197603150019,1,户主,健康,,\n\
             永兴村,三组,123456789012345678901,01,李春生,439921197603150018,1,户主,健康,,\n\
             永兴村,三组,1004,01,李春生,439921197603150018,1,户主,健康,,\n\
             永兴村,三组,1005,01,李春来,439921197603150018,1,户主,健康,,\n",
            rules(),
        );
        let problems = problems(&found.bad_rows);
        assert_eq!(problems.len(), 5, "{problems:?}");
        assert!(problems[0].starts_with("2: 户编号 is empty"));
        assert!(problems[1].starts_with("3: 姓名 is empty"));
        assert!(problems[2].starts_with("4: 证件号码"));
        assert!(problems[3].starts_with("5: 户编号 has more"));
        assert!(problems[4].starts_with("7: the same 证件号码 stands in line 6"));
        assert_eq!(found.by_number.keys().collect::<Vec<_>>(), ["1004"]);
        for problem in problems {
            assert!(!problem.contains("4399") && !problem.contains('李'), "{problem}");
        }
    }

    #[test]
    fn invented_people_are_refused_unless_allowed() {
        let rules = Rules { allow_unissued_area: false, ..rules() };
        let found = read_rows("永兴村,三组,1001,01,李春生,439921197603150018,1,户主,健康,,\n", rules);
        assert_eq!(found.bad_rows[0].problem, Problem::UnissuedArea);
        assert!(found.by_number.is_empty());
    }

    #[test]
    fn a_bad_cell_is_left_out_and_the_row_counts() {
        let found =
            read_rows("永兴村,三组,1001,01,李春生,439921197603150018,3,户主,不好,123,2023-13\n", rules());
        assert_eq!(found.bad_rows, []);
        let problems = problems(&found.bad_cells);
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems.iter().any(|problem| problem.contains("健康状况: not one of the known labels")));
        assert!(problems.iter().any(|problem| problem.contains("人数 says 3")));
        assert_eq!(found.by_number["1001"].people.len(), 1);
    }

    #[test]
    fn household_cells_that_differ_are_named_and_the_first_counts() {
        let found = read_rows(
            "永兴村,三组,1001,01,李春生,439921197603150018,2,户主,健康,,\n\
             永兴村,四组,1001,02,王秀英,439921197808220024,2,配偶,健康,,\n",
            rules(),
        );
        assert_eq!(problems(&found.bad_cells), ["3: 自然村 differs from line 2, which counts"]);
        assert_eq!(found.by_number["1001"].cells["group_name"], Value::Text("三组".to_owned()));
    }

    #[test]
    fn rows_of_other_villages_are_counted_and_left_out() {
        let rows = "永兴,三组,1001,01,李春生,439921197603150018,1,户主,健康,,\n\
                    永乐村,一组,2001,01,王秀英,439921197808220024,1,户主,健康,,\n";
        let found = read_rows(rows, rules());
        assert_eq!(found.by_number.keys().collect::<Vec<_>>(), ["1001"]);
        assert_eq!(found.elsewhere, BTreeMap::from([("永乐村".to_owned(), 1)]));
        let only = read_rows("永乐村,一组,2001,01,王秀英,439921197808220024,1,户主,健康,,\n", rules());
        assert_eq!(only.by_number.len(), 1, "a sheet of a single village is taken as it is");
    }

    #[test]
    fn a_person_without_a_number_is_taken() {
        let found = read_rows("永兴村,三组,1001,01,李新生,999999,1,户主,健康,,\n", rules());
        let cells = &found.by_number["1001"].people[0].cells;
        assert_eq!(cells["certificate_type"], Value::Text("none".to_owned()));
        assert!(!cells.contains_key("cert_no"));
    }

    #[test]
    fn a_disability_card_is_known_by_its_length() {
        let found = read_rows("永兴村,三组,1001,01,周桂香,43992119501109004042,1,户主,残疾,,\n", rules());
        assert_eq!(found.bad_rows, []);
        let cells = &found.by_number["1001"].people[0].cells;
        assert_eq!(cells["certificate_type"], Value::Text("disability_card".to_owned()));
    }

    #[test]
    fn a_person_with_two_certificates_stands_once() {
        let found = read_rows(
            "永兴村,三组,1001,01,周桂香,439921195011090040,1,户主,残疾,,\n\
             永兴村,三组,1001,01,周桂香,43992119501109004042,1,户主,残疾,,\n",
            rules(),
        );
        assert_eq!(problems(&found.bad_rows), ["3: the same 证件号码 stands in line 2"]);
    }

    #[test]
    fn months_are_written_in_many_ways() {
        for text in ["2023-05", "2023-05-01", "2023/5", "2023.05", "202305", "20230501", "2023年5月"] {
            assert_eq!(month(text), "2023-05", "{text}");
        }
        assert_eq!(month("五月"), "五月");
    }
}
