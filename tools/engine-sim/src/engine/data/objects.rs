//! The objects stored with the apps: a sheet, its charts and master items.

use serde_json::{Value, json};

/// The sheet of every app.
pub const SHEET: &str = "sheet-overview";
/// A bar chart on it: in Sales, `Sum(Sales)` by Region.
pub const BAR_CHART: &str = "chart-bars";
/// A KPI on it: in Sales, `Sum(Sales)`.
pub const KPI: &str = "chart-kpi";
/// A table on it.
pub const TABLE: &str = "chart-table";

/// What one app's objects show.
struct Story {
    title: &'static str,
    by: &'static str,
    then_by: &'static str,
    measure: &'static str,
    label: &'static str,
    second: (&'static str, &'static str),
}

pub(super) fn sales() -> Vec<Value> {
    overview(&Story {
        title: "Sales",
        by: "Region",
        then_by: "Category",
        measure: "Sum(Sales)",
        label: "Total sales",
        second: ("Sum(Quantity)", "Units"),
    })
}

pub(super) fn finance() -> Vec<Value> {
    overview(&Story {
        title: "Finance",
        by: "Department",
        then_by: "Account",
        measure: "Sum(Actual)",
        label: "Actual cost",
        second: ("Sum(Actual)/Sum(Budget)", "Of budget"),
    })
}

pub(super) fn people() -> Vec<Value> {
    overview(&Story {
        title: "People",
        by: "Office",
        then_by: "Team",
        measure: "Count(distinct Employee)",
        label: "Headcount",
        second: ("Avg(Salary)", "Average salary"),
    })
}

fn overview(story: &Story) -> Vec<Value> {
    let cube = |dimensions: Value, measures: Value, width: usize| {
        json!({
            "qDimensions": dimensions,
            "qMeasures": measures,
            "qMode": "S",
            "qSuppressZero": false,
            "qSuppressMissing": true,
            "qInitialDataFetch": [{ "qLeft": 0, "qTop": 0, "qWidth": width, "qHeight": 500 }],
        })
    };
    let (main, second) = (
        measure(story.measure, story.label),
        measure(story.second.0, story.second.1),
    );
    vec![
        sheet(story),
        chart(
            BAR_CHART,
            "barchart",
            story.label,
            &cube(json!([by(story.by)]), json!([main]), 17),
        ),
        chart(
            KPI,
            "kpi",
            story.label,
            &cube(json!([]), json!([main, second]), 10),
        ),
        chart(
            TABLE,
            "table",
            story.title,
            &cube(
                json!([by(story.by), by(story.then_by)]),
                json!([main, second]),
                50,
            ),
        ),
        master_dimension(story),
        master_measure(story),
    ]
}

fn by(field: &str) -> Value {
    json!({
        "qDef": {
            "qFieldDefs": [format!("[{field}]")],
            "qFieldLabels": [field],
            "qSortCriterias": [{ "qSortByNumeric": 1, "qSortByAscii": 1, "qSortByLoadOrder": 1 }],
            "cId": format!("dimension-{field}"),
        },
        "qNullSuppression": true,
    })
}

fn measure(expression: &str, label: &str) -> Value {
    json!({
        "qDef": {
            "qDef": expression,
            "qLabel": label,
            "cId": format!("measure-{label}"),
            "isCustomFormatted": false,
            "numFormatFromTemplate": true,
        },
        "qSortBy": { "qSortByNumeric": -1 },
    })
}

fn chart(id: &str, kind: &str, title: &str, cube: &Value) -> Value {
    let mut properties = appearance(kind);
    let own = json!({
        "qInfo": { "qId": id, "qType": kind },
        "qExtendsId": "",
        "qMetaDef": {},
        "qStateName": "$",
        "qHyperCubeDef": cube,
        "showTitles": true,
        "title": title,
        "subtitle": "",
        "footnote": "",
        "visualization": kind,
    });
    if let (Some(properties), Value::Object(own)) = (properties.as_object_mut(), own) {
        properties.extend(own);
    }
    properties
}

/// What a chart's own defaults look like once it is stored; it does not draw without them.
fn appearance(kind: &str) -> Value {
    match kind {
        "barchart" => bar_appearance(),
        "kpi" => json!({
            "showMeasureTitle": true, "showSecondMeasureTitle": true, "textAlign": "center",
            "layoutBehavior": "relative", "disableNavMenu": true, "fontSize": "M",
            "showDetails": true, "components": [],
        }),
        _ => json!({
            "totals": { "show": true, "position": "noTotals", "label": "Totals" },
            "usePagination": false, "components": [],
        }),
    }
}

fn bar_appearance() -> Value {
    json!({
        "barGrouping": { "grouping": "grouped" },
        "color": {
            "auto": true, "autoMinMax": true, "dimensionScheme": "12", "expressionIsColor": true,
            "expressionLabel": "", "formatting": { "numFormatFromTemplate": true },
            "measureScheme": "sg", "mode": "primary", "paletteColor": { "index": 6 },
            "persistent": false, "reverseScheme": false, "useBaseColors": "off",
            "useDimColVal": true, "useMeasureGradient": true,
        },
        "components": [],
        "dataPoint": { "showLabels": false, "showSegmentLabels": false, "showTotalLabels": true },
        "dimensionAxis": {
            "axisDisplayMode": "auto", "continuousAuto": true, "dock": "near", "label": "auto",
            "maxVisibleItems": 10, "show": "all",
        },
        "gridLine": { "auto": true, "spacing": 2 },
        "legend": { "dock": "auto", "show": true, "showTitle": true },
        "measureAxis": {
            "autoMinMax": true, "dock": "near", "max": 10, "min": 0, "minMax": "min",
            "show": "all", "spacing": 1,
        },
        "orientation": "vertical",
        "preferContinuousAxis": true,
        "refLine": { "refLines": [], "dimRefLines": [] },
        "scrollbar": "miniChart",
        "scrollStartPos": 0,
        "showDetails": true,
        "showDisclaimer": true,
        "showMiniChartForContinuousAxis": true,
        "tooltip": { "auto": true, "hideBasic": false, "data": {} },
    })
}

fn sheet(story: &Story) -> Value {
    let cell = |id: &str, kind: &str, (left, width): (u8, u8)| {
        json!({
            "name": id, "type": kind, "col": left, "row": 0, "colspan": width, "rowspan": 12,
            "bounds": {
                "x": f64::from(left) * 100.0 / 24.0, "y": 0,
                "width": f64::from(width) * 100.0 / 24.0, "height": 100
            },
        })
    };
    json!({
        "qInfo": { "qId": SHEET, "qType": "sheet" },
        "qMetaDef": { "title": format!("{} overview", story.title), "description": "" },
        "rank": 0,
        "thumbnail": { "qStaticContentUrlDef": {} },
        "columns": 24,
        "rows": 12,
        "cells": [
            cell(BAR_CHART, "barchart", (0, 12)),
            cell(KPI, "kpi", (12, 4)),
            cell(TABLE, "table", (16, 8)),
        ],
        "qChildListDef": { "qData": { "title": "/title" } },
    })
}

fn master_dimension(story: &Story) -> Value {
    json!({
        "qInfo": { "qId": "dimension-main", "qType": "dimension" },
        "qMetaDef": { "title": story.by, "description": "", "tags": [] },
        "qDim": {
            "qGrouping": "N",
            "qFieldDefs": [format!("[{}]", story.by)],
            "qFieldLabels": [story.by],
            "title": story.by,
        },
    })
}

fn master_measure(story: &Story) -> Value {
    json!({
        "qInfo": { "qId": "measure-main", "qType": "measure" },
        "qMetaDef": { "title": story.label, "description": "", "tags": [] },
        "qMeasure": {
            "qLabel": story.label,
            "qDef": story.measure,
            "qGrouping": "N",
            "qExpressions": [],
            "qActiveExpression": 0,
            "qNumFormat": { "qType": "U", "qnDec": 10, "qUseThou": 0 },
        },
    })
}
