//! What each kind of panel looks like, in the options that Grafana has for it.

use serde_json::{Value, json};

use super::description::{Kind, Panel, Query};
use super::look::uid;

pub(super) fn stat() -> Value {
    json!({
        "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "value",
        "wideLayout": true,
        "showPercentChange": false,
        "percentChangeColorMode": "standard",
    })
}

pub(super) fn lines() -> Value {
    json!({
        "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
        "tooltip": { "mode": "multi", "sort": "desc" },
    })
}

pub(super) fn drawn(stacking: &str, fill: u32, description: &Panel) -> Value {
    let thresholds = description
        .orange
        .or(description.red)
        .map_or("off", |_| "dashed");
    json!({
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": fill,
        "gradientMode": "none",
        "showPoints": "never",
        "spanNulls": false,
        "stacking": { "mode": stacking, "group": "A" },
        "thresholdsStyle": { "mode": thresholds },
    })
}

pub(super) fn heat(unit: Option<&str>) -> Value {
    json!({
        "calculate": false,
        "cellGap": 1,
        "color": {
            "mode": "scheme",
            "scheme": "Blues",
            "exponent": 0.5,
            "fill": "dark-blue",
            "reverse": false,
            "steps": 32,
        },
        "exemplars": { "color": "orange" },
        "filterValues": { "le": 1e-9 },
        "legend": { "show": true },
        "rowsFrame": { "layout": "auto" },
        "showValue": "never",
        "tooltip": { "mode": "single", "yHistogram": true },
        "yAxis": { "axisPlacement": "left", "reverse": false, "unit": unit },
    })
}

pub(super) fn table() -> Value {
    json!({
        "showHeader": true,
        "cellHeight": "sm",
        "frameIndex": 0,
        "sortBy": [],
    })
}

/// The fields that queries make, in their order, with the names of their columns.
fn named(description: &Panel) -> impl Iterator<Item = (String, &Query)> {
    let single = description.queries.len() == 1;
    ('A'..='Z')
        .zip(&description.queries)
        .map(move |(reference, query)| {
            let field = if single {
                String::from("Value")
            } else {
                format!("Value #{reference}")
            };
            (field, query)
        })
}

pub(super) fn columns(description: &Panel) -> Value {
    let key = description.key.as_deref().unwrap_or_default();
    let mut order = json!({ key: 0 });
    let mut names = json!({});
    for (at, (field, query)) in (1..).zip(named(description)) {
        order[&field] = at.into();
        names[&field] = query.name.as_deref().unwrap_or("Value").into();
    }
    json!([
        { "id": "merge", "options": {} },
        {
            "id": "organize",
            "options": {
                "excludeByName": { "Time": true },
                "indexByName": order,
                "renameByName": names,
            },
        },
    ])
}

pub(super) fn overrides(description: &Panel) -> Vec<Value> {
    if description.kind != Kind::Table {
        return Vec::new();
    }
    let field = |name: &str, id: &str, value: Value| {
        json!({
            "matcher": { "id": "byName", "options": name },
            "properties": [{ "id": id, "value": value }],
        })
    };
    let units = description.queries.iter().filter_map(|query| {
        let (name, unit) = (query.name.as_deref()?, query.unit.as_deref()?);
        Some(field(name, "unit", unit.into()))
    });
    let link = description.key.as_deref().zip(description.opens.as_deref());
    let link = link.map(|(key, board)| field(key, "links", opening(key, board)));
    units.chain(link).collect()
}

fn opening(key: &str, board: &str) -> Value {
    let keep = "${datasource:queryparam}&${instance:queryparam}&${__url_time_range}";
    json!([{
        "title": format!("Open its {board} board"),
        "url": format!("/d/{}?var-{key}=${{__value.raw}}&{keep}", uid(board)),
    }])
}
