//! Every feature against every foreign stack, in both roles.
//!
//! Prints a line for each cell (`cell openssl-4.0.3 client gcm/mutual ok`), then the table, which is
//! also written to `target/interop-matrix.md` for the README. Any cell that is not `ok` fails the run.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod agreed;
mod bench;
mod refused;

use std::fmt::Write;
use std::process::ExitCode;
use std::thread;

use bench::{Bench, Result, Role};
use shangmi_interop::peer;
use shangmi_interop::stack::{Stack, target_dir};

/// A row of the matrix.
struct Feature {
    /// For machines and for finding it here.
    name: &'static str,
    /// For readers.
    title: &'static str,
    /// What we can be in it.
    roles: &'static [Role],
    check: fn(&Bench, Role) -> Result,
}

const BOTH: &[Role] = &[Role::Client, Role::Server];

fn features() -> Vec<Feature> {
    agreed::FEATURES
        .into_iter()
        .chain(refused::FEATURES)
        .collect()
}

fn main() -> ExitCode {
    let columns: Vec<Column> = thread::scope(|scope| {
        let running: Vec<_> = Stack::ALL
            .into_iter()
            .map(|stack| scope.spawn(move || Column::run(stack)))
            .collect();
        running
            .into_iter()
            .map(|column| column.join().unwrap().unwrap())
            .collect()
    });

    let table = table(&columns);
    let path = target_dir().join("interop-matrix.md");
    std::fs::write(&path, &table).unwrap();
    println!("\n{table}");

    let cells: usize = features()
        .iter()
        .map(|feature| feature.roles.len())
        .sum::<usize>()
        * Stack::ALL.len();
    let good = columns
        .iter()
        .flat_map(|column| &column.cells)
        .filter(|cell| cell.good)
        .count();
    println!("matrix: {cells} cells, {good} ok, {} failed", cells - good);
    if good == cells {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A foreign stack and what came of every feature with it.
struct Column {
    version: String,
    cells: Vec<Cell>,
}

struct Cell {
    feature: &'static str,
    role: Role,
    good: bool,
}

impl Column {
    fn run(stack: Stack) -> Result<Self> {
        let bench = Bench::new(stack)?;
        let mut cells = Vec::new();
        for feature in features() {
            for &role in feature.roles {
                let result = (feature.check)(&bench, role);
                let verdict = match &result {
                    Ok(()) => "ok".into(),
                    Err(error) => format!("FAILED\n{error}"),
                };
                println!("cell {stack} {role} {} {verdict}", feature.name);
                cells.push(Cell {
                    feature: feature.name,
                    role,
                    good: result.is_ok(),
                });
            }
        }
        Ok(Self {
            version: peer::version(stack)?,
            cells,
        })
    }

    /// In which roles we passed.
    fn mark(&self, feature: &Feature) -> String {
        let role = |&role: &Role| {
            let cell = |cell: &&Cell| cell.feature == feature.name && cell.role == role;
            match self.cells.iter().find(cell) {
                Some(cell) if cell.good => role.to_string(),
                Some(_) => format!("{role} FAILED"),
                None => format!("{role} MISSING"),
            }
        };
        feature
            .roles
            .iter()
            .map(role)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// A row for each feature, a column for each stack, in the cells what we were.
fn table(columns: &[Column]) -> String {
    let mut table = String::from("| we are client, server, or each in turn, against");
    for column in columns {
        let _ = write!(table, " | {}", column.version);
    }
    let _ = writeln!(table, " |\n|---{}|", "|---".repeat(columns.len()));
    for feature in features() {
        let _ = write!(table, "| {}", feature.title);
        for column in columns {
            let _ = write!(table, " | {}", column.mark(&feature));
        }
        table.push_str(" |\n");
    }
    table
}
