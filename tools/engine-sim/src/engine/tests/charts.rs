//! What charts ask for: orders, pages, stacks, lists, searches, errors.

use super::*;

#[expect(
    clippy::needless_pass_by_value,
    reason = "callers write `json!` in place"
)]
fn made(socket: &mut Socket, doc: i64, properties: Value) -> i64 {
    handle_of(&result(
        socket,
        doc,
        "CreateSessionObject",
        json!([properties]),
    ))
}

fn column(matrix: &Value, at: usize) -> Vec<Value> {
    matrix
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[at]["qNum"].clone())
        .collect()
}

fn matrix(layout: &Value) -> &Value {
    &layout["qHyperCube"]["qDataPages"][0]["qMatrix"]
}

#[tokio::test]
async fn rows_come_in_the_order_that_was_asked_for() {
    let (mut socket, doc) = opened(&Engine::default(), "ann");
    let mut falling = cube("Region", &["Sum(Sales)"]);
    falling["qHyperCubeDef"]["qInterColumnSortOrder"] = json!([1, 0]);
    falling["qHyperCubeDef"]["qMeasures"][0]["qSortBy"] = json!({"qSortByNumeric": -1});
    let object = made(&mut socket, doc, falling);
    let mut expected: Vec<_> = sums("Region", "Sales", |_| true).into_values().collect();
    expected.sort_by(|one, two| two.total_cmp(one));
    let shown = layout(&mut socket, object);
    let numbers = column(matrix(&shown), 1);
    assert_eq!(
        numbers.iter().filter_map(Value::as_f64).collect::<Vec<_>>(),
        expected
    );

    let mut by_year = cube("Year", &["Count(Product)"]);
    let criteria = json!([{"qSortByNumeric": -1}]);
    by_year["qHyperCubeDef"]["qDimensions"][0]["qDef"]["qSortCriterias"] = criteria;
    let object = made(&mut socket, doc, by_year);
    let shown = layout(&mut socket, object);
    let years = json!([2025, 2024, 2023, 2022, 2021]);
    assert_eq!(Value::from(column(matrix(&shown), 0)), years);
    assert_eq!(
        shown["qHyperCube"]["qDimensionInfo"][0]["qSortIndicator"],
        "D"
    );
    assert_eq!(shown["qHyperCube"]["qDimensionInfo"][0]["qMax"], 2025);
}

#[tokio::test]
async fn a_page_beyond_the_rows_is_cut() {
    let (mut socket, doc) = opened(&Engine::default(), "ann");
    let object = made(&mut socket, doc, cube("Region", &["Sum(Sales)"]));
    let page = json!(["/qHyperCubeDef", [{"qTop": 4, "qLeft": 1, "qHeight": 50, "qWidth": 9}]]);
    let pages = result(&mut socket, object, "GetHyperCubeData", page);
    let area = json!({"qLeft": 1, "qTop": 4, "qWidth": 1, "qHeight": 1});
    assert_eq!(pages["qDataPages"][0]["qArea"], area);
    let wrong = send(
        &mut socket,
        object,
        "GetHyperCubeData",
        json!(["/nothing", []]),
    );
    assert_eq!(wrong["error"]["code"], 6000);
}

#[tokio::test]
async fn a_stack_has_the_sums_of_its_bars() {
    let (mut socket, doc) = opened(&Engine::default(), "ann");
    let mut stack = cube("Region", &["Sum(Sales)"]);
    stack["qHyperCubeDef"]["qMode"] = json!("K");
    let dimensions = ["Region", "Category"].map(|by| json!({"qDef": {"qFieldDefs": [by]}}));
    stack["qHyperCubeDef"]["qDimensions"] = json!(dimensions);
    let object = made(&mut socket, doc, stack);
    let layout = layout(&mut socket, object);
    let cube = &layout["qHyperCube"];
    assert_eq!(cube["qDataPages"], json!([]));
    let bars = cube["qStackedDataPages"][0]["qData"][0]["qSubNodes"]
        .as_array()
        .unwrap();
    let expected = sums("Region", "Sales", |_| true);
    assert_eq!(bars.len(), expected.len());
    for bar in bars {
        let parts = bar["qSubNodes"].as_array().unwrap().iter();
        let sum: f64 = parts
            .map(|part| part["qSubNodes"][0]["qValue"].as_f64().unwrap())
            .sum();
        let whole = bar["qMaxPos"].as_f64();
        assert_eq!(
            (whole, whole),
            (
                Some(sum),
                expected.get(bar["qText"].as_str().unwrap()).copied()
            )
        );
    }
}

#[tokio::test]
async fn a_list_shows_states_and_can_be_searched() {
    let (mut socket, doc) = opened(&Engine::default(), "ann");
    let list = json!({"qInfo": {"qType": "list"}, "qListObjectDef": {
        "qDef": {"qFieldDefs": ["Category"], "qSortCriterias": [{"qSortByState": 1, "qSortByAscii": 1}]},
        "qInitialDataFetch": [{"qTop": 0, "qLeft": 0, "qHeight": 10, "qWidth": 1}],
    }});
    let list = made(&mut socket, doc, list);
    let states = |layout: &Value| -> Vec<String> {
        let rows = layout["qListObject"]["qDataPages"][0]["qMatrix"]
            .as_array()
            .unwrap()
            .iter();
        rows.map(|row| format!("{} {}", row[0]["qText"], row[0]["qState"]).replace('"', ""))
            .collect()
    };
    let all = ["Bikes O", "Clothing O", "Parts O", "Service O"];
    assert_eq!(states(&layout(&mut socket, list)), all);
    result(
        &mut socket,
        list,
        "SearchListObjectFor",
        json!(["/qListObjectDef", "ser"]),
    );
    assert_eq!(states(&layout(&mut socket, list)), ["Service O"]);
    result(
        &mut socket,
        list,
        "AcceptListObjectSearch",
        json!(["/qListObjectDef", false]),
    );
    let found = ["Service S", "Bikes A", "Clothing A", "Parts A"];
    assert_eq!(states(&layout(&mut socket, list)), found);
    let repair = handle_of(&result(&mut socket, doc, "GetField", json!(["Product"])));
    result(&mut socket, repair, "Select", json!(["Road"]));
    let beaten = ["Bikes A", "Clothing X", "Parts X", "Service XS"];
    assert_eq!(states(&layout(&mut socket, list)), beaten);
}

#[tokio::test]
async fn bars_in_a_range_of_the_measure_are_selected() {
    let (mut socket, doc) = opened(&Engine::default(), "ann");
    let object = made(&mut socket, doc, cube("Region", &["Sum(Sales)"]));
    let range = json!([{"qMeasureIx": 0, "qRange": {"qMin": 6_000_000, "qMax": 9_000_000}}]);
    result(
        &mut socket,
        object,
        "RangeSelectHyperCubeValues",
        json!(["/qHyperCubeDef", range, [], true]),
    );
    let mut expected = sums("Region", "Sales", |_| true);
    expected.retain(|_, sum| (6_000_000.0..=9_000_000.0).contains(sum));
    assert_eq!(expected.len(), 2);
    assert_eq!(shown(&layout(&mut socket, object)), expected);
}

#[tokio::test]
async fn what_cannot_be_calculated_is_an_error_in_the_layout() {
    let (mut socket, doc) = opened(&Engine::default(), "ann");
    let object = made(&mut socket, doc, cube("Region", &["Rank(Sales)"]));
    let measure = &layout(&mut socket, object)["qHyperCube"];
    assert_eq!(measure["qMeasureInfo"][0]["qError"]["qErrorCode"], 7000);
    assert_eq!(measure["qDataPages"][0]["qMatrix"][0][1]["qText"], "-");
    let object = made(&mut socket, doc, cube("Nowhere", &["Sum(Sales)"]));
    let dimension = &layout(&mut socket, object)["qHyperCube"];
    assert_eq!(dimension["qDimensionInfo"][0]["qError"]["qErrorCode"], 7000);
    assert_eq!(dimension["qSize"]["qcy"], 0);
    assert_eq!(
        result(&mut socket, doc, "Evaluate", json!(["Count(Sales)"]))["qReturn"],
        "10000"
    );
}
