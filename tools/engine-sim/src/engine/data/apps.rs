//! The apps: ids that never change, and rows made by rule.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    dice::Dice,
    objects,
    table::{Entry, Table, TableBuilder},
};

/// "Sales": 10,000 rows of Region, Country, Category, Product, Customer, Year and Month, with
/// Sales, Quantity and Margin.
pub const SALES_APP: &str = "5b7e1c52-3f0a-4d7e-9a51-1f6b0c9d2e01";
/// "Finance": 2,400 rows of Department, Account, Year and Quarter, with Budget and Actual.
pub const FINANCE_APP: &str = "c2a94f7d-8e13-4b60-b7f2-64d1a0583c02";
/// "People": 800 rows of Office, Team, Level and Employee, with Salary and Age.
pub const PEOPLE_APP: &str = "e81d3b06-71c5-4f29-8d04-a93f5e27b603";

/// An app as it is stored.
#[derive(Debug)]
pub(in crate::engine) struct App {
    pub(in crate::engine) id: String,
    pub(in crate::engine) title: String,
    pub(in crate::engine) table: Table,
    /// The stored objects' properties, by `qInfo.qId`.
    pub(in crate::engine) objects: BTreeMap<String, Value>,
}

impl App {
    /// An app without data, as a session app begins.
    pub(in crate::engine) fn empty(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            title: id.to_owned(),
            table: TableBuilder::new("Empty", &[]).finish(),
            objects: BTreeMap::new(),
        }
    }

    fn stored(id: &str, title: &str, table: Table, objects: Vec<Value>) -> Arc<Self> {
        let named = |object: Value| {
            let id = object
                .pointer("/qInfo/qId")
                .and_then(Value::as_str)
                .unwrap_or_default();
            (id.to_owned(), object)
        };
        Arc::new(Self {
            id: id.to_owned(),
            title: title.to_owned(),
            table,
            objects: objects.into_iter().map(named).collect(),
        })
    }
}

/// Every app there is.
#[derive(Debug)]
pub(in crate::engine) struct Catalogue {
    apps: Vec<Arc<App>>,
}

impl Catalogue {
    pub(in crate::engine) fn find(&self, id: &str) -> Option<&Arc<App>> {
        self.apps.iter().find(|app| app.id == id)
    }

    pub(in crate::engine) fn apps(&self) -> impl Iterator<Item = &App> {
        self.apps.iter().map(|app| &**app)
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        let apps = vec![
            App::stored(SALES_APP, "Sales", sales(), objects::sales()),
            App::stored(FINANCE_APP, "Finance", finance(), objects::finance()),
            App::stored(PEOPLE_APP, "People", people(), objects::people()),
        ];
        Self { apps }
    }
}

const REGIONS: [(&str, u32, [&str; 3]); 5] = [
    ("Nordics", 5, ["Sweden", "Norway", "Denmark"]),
    ("DACH", 9, ["Germany", "Austria", "Switzerland"]),
    ("Iberia", 3, ["Spain", "Portugal", "Andorra"]),
    ("North America", 7, ["United States", "Canada", "Mexico"]),
    ("Asia Pacific", 4, ["Japan", "Australia", "Singapore"]),
];
const CATEGORIES: [(&str, u32, [&str; 4]); 4] = [
    ("Bikes", 900, ["Road", "Mountain", "City", "Cargo"]),
    ("Parts", 120, ["Saddle", "Wheel", "Chain", "Brake"]),
    ("Clothing", 60, ["Jersey", "Gloves", "Helmet", "Socks"]),
    (
        "Service",
        200,
        ["Repair", "Fitting", "Inspection", "Storage"],
    ),
];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

fn sales() -> Table {
    let fields = [
        "Region", "Country", "Category", "Product", "Customer", "Year", "Month", "Sales",
        "Quantity", "Margin",
    ];
    let mut table = TableBuilder::new("Sales", &fields);
    let mut dice = Dice::seeded(1);
    for _ in 0..10_000 {
        table.push(sale(&mut dice));
    }
    table.finish()
}

fn sale(dice: &mut Dice) -> Vec<Entry> {
    let (region, weight, countries) = dice.pick(&REGIONS);
    let (category, price, products) = dice.pick(&CATEGORIES);
    let quantity = dice.between(1, 10 + weight);
    let sales = quantity * (price + dice.below(price / 2));
    let margin = sales * dice.between(5, 40) / 100;
    let country = *dice.pick(countries);
    // A customer buys in one country, so that selecting the one narrows the other.
    let customer = format!("{country} {:02}", dice.between(1, 15));
    vec![
        (*region).into(),
        country.into(),
        (*category).into(),
        (*dice.pick(products)).into(),
        customer.as_str().into(),
        dice.between(2021, 2026).into(),
        (*dice.pick(&MONTHS)).into(),
        sales.into(),
        quantity.into(),
        margin.into(),
    ]
}

fn finance() -> Table {
    let fields = [
        "Department",
        "Account",
        "Year",
        "Quarter",
        "Budget",
        "Actual",
    ];
    let departments = ["Research", "Production", "Marketing", "Support"];
    let accounts = ["Salaries", "Travel", "Licences", "Rent", "Training"];
    let mut table = TableBuilder::new("Ledger", &fields);
    let mut dice = Dice::seeded(2);
    for _ in 0..2_400 {
        let budget = dice.between(1_000, 50_000);
        let actual = budget * dice.between(80, 125) / 100;
        table.push(vec![
            (*dice.pick(&departments)).into(),
            (*dice.pick(&accounts)).into(),
            dice.between(2023, 2026).into(),
            (*dice.pick(&["Q1", "Q2", "Q3", "Q4"])).into(),
            budget.into(),
            actual.into(),
        ]);
    }
    table.finish()
}

fn people() -> Table {
    let fields = ["Office", "Team", "Level", "Employee", "Salary", "Age"];
    let offices = ["Lund", "Berlin", "Madrid", "Tokyo"];
    let teams = ["Engine", "Client", "Design", "Operations", "Sales"];
    let mut table = TableBuilder::new("Staff", &fields);
    let mut dice = Dice::seeded(3);
    for number in 1..=800_u32 {
        let level = dice.between(1, 6);
        table.push(vec![
            (*dice.pick(&offices)).into(),
            (*dice.pick(&teams)).into(),
            level.into(),
            format!("Employee {number:03}").as_str().into(),
            (level * 12_000 + dice.between(20_000, 32_000)).into(),
            dice.between(21, 65).into(),
        ]);
    }
    table.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::number;

    #[test]
    fn the_rows_are_the_same_at_every_start() {
        let (one, two) = (sales(), sales());
        assert_eq!(one.rows, 10_000);
        for id in one.ids() {
            assert_eq!(one.field(id).values, two.field(id).values);
        }
        let total: f64 = (0..one.rows)
            .filter_map(|row| one.field(one.find("Sales").unwrap()).number(row))
            .sum();
        assert_eq!(number::text(Some(total), &Value::Null), "30872405");
    }

    #[test]
    fn every_stored_object_has_an_id_of_its_own() {
        for app in Catalogue::default().apps() {
            assert!(app.objects.len() >= 6, "{}", app.title);
            assert!(app.objects.keys().all(|id| !id.is_empty()));
        }
    }
}
