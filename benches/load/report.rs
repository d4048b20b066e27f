//! The results on disk: all figures as JSON, a table for people, and plots.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use serde::Serialize;

use super::figures::Figures;

#[derive(Serialize)]
pub struct Results {
    quick: bool,
    machine: String,
    figures: Vec<Figures>,
}

impl Results {
    pub fn new(quick: bool) -> Results {
        Results { quick, machine: machine(), figures: Vec::new() }
    }

    pub fn add(&mut self, figures: Figures) {
        self.figures.push(figures);
    }

    /// What chatd did wrong; the faults of others stand in the table.
    pub fn faults(&self) -> u64 {
        self.figures.iter().filter(|figures| figures.server == "chatd").map(|figures| figures.faults).sum()
    }

    pub fn write(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join("results.json"), serde_json::to_string_pretty(self)? + "\n")?;
        std::fs::write(dir.join("results.md"), self.table())?;
        self.bars(&dir.join("cost.svg"))?;
        for (prefix, what) in
            [("grow-members-", "members of a room"), ("grow-rooms-", "rooms"), ("pages-", "lines kept")]
        {
            self.growth(&dir.join(format!("{}.svg", prefix.trim_end_matches('-'))), prefix, what)?;
        }
        Ok(())
    }

    fn table(&self) -> String {
        let mut text = String::from("# What was measured\n\n");
        let _ = writeln!(text, "{}\n", self.machine);
        text += "Processor time is the server's own, from `/proc`; latency is from sending a line to reading it.\n\n";
        text += "| load | server | us of processor | per | a second | p50 ms | p99 ms | memory KiB | orders seen | faults | |\n";
        text += "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
        for f in &self.figures {
            let [p50, p99] = f
                .latency
                .map_or(["".to_owned(), "".to_owned()], |[p50, p99, _]| [format!("{p50:.2}"), format!("{p99:.2}")]);
            let orders = f.orders.map_or(String::new(), |orders| orders.to_string());
            let _ = writeln!(
                text,
                "| {} | {} | {:.2} | {} | {:.0} | {p50} | {p99} | {:.1} | {orders} | {} | {} |",
                f.kind,
                f.server,
                f.cpu_us(),
                f.unit,
                f.rate(),
                f.memory_kib,
                f.faults,
                f.note
            );
        }
        text
    }

    /// Microseconds a unit, side by side.
    fn bars(&self, path: &Path) -> Result<()> {
        let mut kinds: BTreeMap<usize, (&str, Vec<&Figures>)> = BTreeMap::new();
        for f in self.figures.iter().filter(|f| f.unit == "delivery" || f.unit == "message") {
            if f.kind.starts_with("grow") {
                continue;
            }
            let at = self.figures.iter().position(|other| other.kind == f.kind).unwrap_or_default();
            kinds.entry(at).or_insert((&f.kind, Vec::new())).1.push(f);
        }
        let bars: Vec<(String, f64, RGBColor)> = kinds
            .values()
            .flat_map(|(kind, figures)| {
                figures.iter().map(move |f| (format!("{kind}  {}", f.server), f.cpu_us(), colour(&f.server)))
            })
            .collect();
        if bars.is_empty() {
            return Ok(());
        }
        let most = bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
        let height = 60 + 22 * bars.len() as u32;
        let area = SVGBackend::new(path, (860, height)).into_drawing_area();
        let failed = |error: DrawingAreaErrorKind<_>| anyhow!("{error:?}");
        area.fill(&WHITE).map_err(failed)?;
        let title = ("sans-serif", 16).into_font();
        area.draw(&Text::new("Processor time of the server, microseconds a delivery or message", (16, 16), title))
            .map_err(failed)?;
        for (row, (name, value, colour)) in bars.iter().enumerate() {
            let y = 48 + 22 * row as i32;
            let width = (value / most * 440.0) as i32;
            area.draw(&Text::new(name.clone(), (16, y), ("sans-serif", 13).into_font())).map_err(failed)?;
            area.draw(&Rectangle::new([(320, y - 2), (320 + width.max(1), y + 14)], colour.filled()))
                .map_err(failed)?;
            let label = Text::new(format!("{value:.2}"), (328 + width, y), ("sans-serif", 13).into_font());
            area.draw(&label).map_err(failed)?;
        }
        area.present().map_err(failed)?;
        Ok(())
    }

    /// What a unit costs as something grows: a flat line is right.
    fn growth(&self, path: &Path, prefix: &str, what: &str) -> Result<()> {
        let mut lines: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        for f in &self.figures {
            if let Some(size) = f.kind.strip_prefix(prefix).and_then(|size| size.parse::<f64>().ok()) {
                lines.entry(&f.server).or_default().push((size, f.cpu_us()));
            }
        }
        let points: Vec<(f64, f64)> = lines.values().flatten().copied().collect();
        if points.len() < 2 {
            return Ok(());
        }
        let low = points.iter().map(|p| p.0).fold(f64::MAX, f64::min);
        let high = points.iter().map(|p| p.0).fold(0.0, f64::max);
        let most = points.iter().map(|p| p.1).fold(0.0, f64::max) * 1.2;
        let area = SVGBackend::new(path, (640, 360)).into_drawing_area();
        let failed = |error: DrawingAreaErrorKind<_>| anyhow!("{error:?}");
        area.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(format!("Cost of a unit as {what} grow"), ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(52)
            .build_cartesian_2d((low..high).log_scale(), 0.0..most)
            .map_err(failed)?;
        chart.configure_mesh().x_desc(what).y_desc("us of the server").draw().map_err(failed)?;
        for (server, mut points) in lines {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let colour = colour(server);
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3))
                .map_err(failed)?
                .label(server)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
        }
        chart.configure_series_labels().border_style(BLACK).draw().map_err(failed)?;
        area.present().map_err(failed)?;
        Ok(())
    }
}

fn colour(server: &str) -> RGBColor {
    match server {
        "chatd" => RGBColor(31, 119, 180),
        "InspIRCd" => RGBColor(214, 126, 44),
        "ngIRCd" => RGBColor(90, 160, 90),
        _ => RGBColor(120, 120, 120),
    }
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{cores} processors:{}", model.trim_start_matches(['\t', ' ', ':']).replace("  ", " "))
}
