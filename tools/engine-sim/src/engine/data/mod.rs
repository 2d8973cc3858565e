//! What the engine's apps hold: tables, and the objects stored with them.

mod apps;
mod dice;
mod objects;
mod table;

pub(super) use apps::{App, Catalogue};
pub use apps::{FINANCE_APP, PEOPLE_APP, SALES_APP};
pub use objects::{BAR_CHART, KPI, SHEET, TABLE};
#[cfg(test)]
pub(super) use table::TableBuilder;
pub(super) use table::{Field, FieldId, Table};
