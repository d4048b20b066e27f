//! The plots of the report, as SVG.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::figures::{Figures, short};

/// Draws what there are figures for. Says of each the title of its table, and its file.
pub fn draw(figures: &[Figures], dir: &Path) -> Result<Vec<(&'static str, String)>> {
    let mut drawn = Vec::new();
    let cost = |f: &Figures| f.cpu_us();
    let p99 = |f: &Figures| f.latency.map_or(0.0, |[_, p99, _]| p99);
    let rate: &[&str] = &["fanout-100-rate", "fanout-1000-rate", "rooms-200x10-rate"];
    let full: &[&str] = &["fanout-100-full", "fanout-1000-full", "rooms-200x10-full"];
    type Value = fn(&Figures) -> f64;
    let bars: [(&str, &str, &[&str], &str, Value); 5] = [
        ("Fan-out at a fixed rate", "rate-cost", rate, "microseconds of the server's processor for a delivery", cost),
        ("Fan-out at a fixed rate", "rate-p99", rate, "p99 from sending a line to reading it, ms", p99),
        (
            "Fan-out as fast as it goes",
            "full-cost",
            full,
            "microseconds of the server's processor for a delivery",
            cost,
        ),
        ("Idle connections", "idle", &["idle-"], "KiB of memory for a connection", |f| f.memory_kib),
        ("Trouble", "trouble", &["trouble-"], "p99 of two people who chat beside it, ms", p99),
    ];
    for (title, file, kinds, what, value) in bars {
        let some: Vec<&Figures> = figures.iter().filter(|f| kinds.iter().any(|k| f.kind.starts_with(k))).collect();
        if !some.is_empty() {
            let file = format!("{file}.svg");
            draw_bars(&dir.join(&file), what, &some, value)?;
            drawn.push((title, file));
        }
    }
    let curves: [(&str, &str, &str, &str, Value); 5] = [
        ("Growth", "grow-members-", "members of a room", "us a delivery", cost),
        ("Growth", "grow-rooms-", "rooms", "us a delivery", cost),
        ("The past", "pages-", "lines kept", "us a line of a page", cost),
        ("The past", "search-", "lines kept", "p50 of a search, ms", |f| f.latency.map_or(0.0, |[p50, ..]| p50)),
        ("The past", "start-", "lines kept", "start until the first login, s", |f| f.seconds),
    ];
    for (title, prefix, what, unit, value) in curves {
        let mut lines: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        for f in figures {
            if let Some(size) = f.kind.strip_prefix(prefix).and_then(|size| size.parse::<f64>().ok()) {
                lines.entry(&f.server).or_default().push((size, value(f)));
            }
        }
        if lines.values().any(|points| points.len() > 1) {
            let file = format!("{}.svg", prefix.trim_end_matches('-'));
            draw_curves(&dir.join(&file), what, unit, lines)?;
            drawn.push((title, file));
        }
    }
    if let Some(churn) = figures.iter().find(|f| f.series.len() > 1) {
        draw_series(&dir.join("churn.svg"), &churn.series)?;
        drawn.push(("Churn", "churn.svg".to_owned()));
    }
    Ok(drawn)
}

fn failed<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> anyhow::Error {
    anyhow!("a plot cannot be drawn: {error}")
}

fn draw_bars(path: &Path, what: &str, figures: &[&Figures], value: fn(&Figures) -> f64) -> Result<()> {
    let most = figures.iter().map(|f| value(f)).fold(1e-9, f64::max);
    let area = SVGBackend::new(path, (820, 52 + 22 * figures.len() as u32)).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    area.draw(&Text::new(what.to_owned(), (16, 14), ("sans-serif", 16).into_font())).map_err(failed)?;
    for (row, f) in figures.iter().enumerate() {
        let (y, font) = (44 + 22 * row as i32, ("sans-serif", 13).into_font());
        let width = (value(f) / most * 440.0) as i32;
        let name = format!("{}  {}", f.kind, f.server);
        area.draw(&Text::new(name, (16, y), font.clone())).map_err(failed)?;
        let bar = Rectangle::new([(300, y - 2), (300 + width.max(1), y + 14)], colour(&f.server).filled());
        area.draw(&bar).map_err(failed)?;
        area.draw(&Text::new(short(value(f)), (308 + width, y), font)).map_err(failed)?;
    }
    area.present().map_err(failed)
}

/// What a unit costs as something grows: a flat line is right.
fn draw_curves(path: &Path, what: &str, unit: &str, lines: BTreeMap<&str, Vec<(f64, f64)>>) -> Result<()> {
    let all = || lines.values().flatten();
    let low = all().map(|p| p.0).fold(f64::MAX, f64::min);
    let high = all().map(|p| p.0).fold(0.0, f64::max);
    let most = all().map(|p| p.1).fold(1e-9, f64::max) * 1.2;
    let area = SVGBackend::new(path, (640, 340)).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(60)
        .build_cartesian_2d((low..high).log_scale(), 0.0..most)
        .map_err(failed)?;
    let thousands = |x: &f64| match *x {
        x if x >= 1e6 => format!("{:.0}M", x / 1e6),
        x if x >= 1e3 => format!("{:.0}k", x / 1e3),
        x => format!("{x:.0}"),
    };
    chart.configure_mesh().x_desc(what).y_desc(unit).x_label_formatter(&thousands).draw().map_err(failed)?;
    for (server, mut points) in lines {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let colour = colour(server);
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3))
            .map_err(failed)?
            .label(server)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .border_style(BLACK)
        .background_style(WHITE)
        .draw()
        .map_err(failed)?;
    area.present().map_err(failed)
}

/// Memory over the minutes.
fn draw_series(path: &Path, series: &[[f64; 3]]) -> Result<()> {
    let last = series.last().map_or(1.0, |point| point[0]);
    let most = series.iter().map(|point| point[1]).fold(1.0, f64::max) * 1.2;
    let area = SVGBackend::new(path, (640, 340)).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..last, 0.0..most)
        .map_err(failed)?;
    chart.configure_mesh().x_desc("minutes").y_desc("MiB").draw().map_err(failed)?;
    for (at, name, colour) in
        [(1, "the process", RGBColor(31, 119, 180)), (2, "the rooms' tails, as reckoned", RGBColor(120, 120, 120))]
    {
        let points = series.iter().map(|point| (point[0], point[at]));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))
            .map_err(failed)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .border_style(BLACK)
        .background_style(WHITE)
        .draw()
        .map_err(failed)?;
    area.present().map_err(failed)
}

fn colour(server: &str) -> RGBColor {
    match server {
        "chatd" => RGBColor(31, 119, 180),
        "InspIRCd" => RGBColor(214, 126, 44),
        "ngIRCd" => RGBColor(90, 160, 90),
        _ => RGBColor(120, 120, 120),
    }
}
