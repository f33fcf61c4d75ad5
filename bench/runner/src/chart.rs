//! The table as a picture: a bar for each client, in a block for each workload and group.

use std::{fmt::Write, fs};

use crate::{
    Fault,
    clients::{Client, FLOOR},
    options::Options,
    results::{Row, read},
    table::{Line, Part, parts},
    workloads::Mode,
};

const WIDTH: u32 = 860;
const LEFT: u32 = 150;
/// The longest bar.
const BAR: u32 = 520;
const ROW: u32 = 19;
const OURS: &str = "#d9541e";
const PEER: &str = "#7d8ca3";
const LEAST: &str = "#c9d1dc";

/// Draws the chosen workloads into a file.
pub fn draw(options: &Options) -> Result<(), Fault> {
    let file = options.svg.as_ref().ok_or("--svg FILE is needed")?;
    let rows = read(&options.results, options.label.as_deref())?;
    let chosen = |part: &Part| {
        let is_chosen = options
            .workloads
            .iter()
            .any(|w| w.name == part.workload.name);
        is_chosen && options.targets.iter().any(|t| t.name() == part.target)
    };
    let is_shown = |client: &Client| options.clients.iter().any(|c| c.name == client.name);
    let mut parts = parts(&rows);
    parts.retain(chosen);
    parts
        .iter_mut()
        .for_each(|part| part.lines.retain(|line| is_shown(line.client)));
    fs::write(file, picture(&parts, &rows)).map_err(|e| format!("{}: {e}", file.display()))
}

struct Canvas {
    body: String,
    y: u32,
}

impl Canvas {
    fn text(&mut self, x: u32, class: &str, text: &str) {
        let text = escape(text);
        let _ = writeln!(
            self.body,
            r#"<text x="{x}" y="{}" class="{class}">{text}</text>"#,
            self.y
        );
    }

    fn part(&mut self, part: &Part) {
        self.y += 34;
        let broker = match part.target.as_str() {
            "kafka" => "Kafka 4.3.1",
            _ => "a broker that does nothing",
        };
        self.text(
            12,
            "title",
            &format!("{} ({broker})", part.workload.title()),
        );
        self.y += 16;
        self.text(12, "note", unit(part.workload.mode));
        let mut group = None;
        let longest = part
            .lines
            .iter()
            .filter_map(Line::figure)
            .fold(0.0, f64::max);
        for line in part.lines.iter().filter(|line| line.figure().is_some()) {
            let is_floor = line.client.name == FLOOR;
            if !is_floor && group != Some(line.group) {
                group = Some(line.group);
                let title = line.group.title();
                if !title.is_empty() {
                    self.y += ROW + 2;
                    self.text(12, "note", &title);
                }
            }
            self.y += ROW;
            self.bar(line, longest, part.best(line.group));
        }
    }

    fn bar(&mut self, line: &Line, longest: f64, best: Option<&Line>) {
        let figure = line.figure().unwrap_or_default();
        let width = ((figure / longest * f64::from(BAR)) as u32).max(1);
        let is_floor = line.client.name == FLOOR;
        let colour = match (is_floor, line.client.is_ours) {
            (true, _) => LEAST,
            (_, true) => OURS,
            _ => PEER,
        };
        self.text(
            24,
            if line.client.is_ours { "ours" } else { "name" },
            line.client.name,
        );
        let _ = writeln!(
            self.body,
            r#"<rect x="{LEFT}" y="{}" width="{width}" height="13" fill="{colour}"/>"#,
            self.y - 11
        );
        let value = if figure < 10.0 {
            format!("{figure:.3}")
        } else {
            format!("{figure:.0}")
        };
        let ratio = match best.and_then(Line::figure) {
            Some(best) if !is_floor => format!("  {:.2}x", figure / best),
            _ => String::new(),
        };
        self.text(LEFT + width + 6, "value", &format!("{value}{ratio}"));
    }
}

fn unit(mode: Mode) -> &'static str {
    match mode {
        Mode::Produce | Mode::Consume => {
            "microseconds of the client's CPU a message, less is better; x: of the best of its kind"
        }
        _ => "microseconds, median, less is better; x: of the best",
    }
}

fn picture(parts: &[Part], rows: &[Row]) -> String {
    let mut canvas = Canvas {
        body: String::new(),
        y: 0,
    };
    parts.iter().for_each(|part| canvas.part(part));
    canvas.y += 30;
    if let Some(last) = rows.last() {
        let date = last.at.split('T').next().unwrap_or_default();
        canvas.text(12, "note", &format!("{date}; {}", last.machine));
    }
    let mut versions: Vec<_> = rows
        .iter()
        .filter(|row| !row.version.is_empty() && row.version != "-")
        .filter(|row| Client::named(&row.client).is_some_and(|c| !c.is_ours))
        .map(|row| format!("{} {}", row.client, row.version))
        .collect();
    versions.sort();
    versions.dedup();
    canvas.y += 16;
    canvas.text(12, "note", &versions.join(", "));
    let height = canvas.y + 14;
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">
<style>
text {{ font: 12px sans-serif; fill: #333 }}
.title {{ font-weight: bold; font-size: 14px }}
.note {{ fill: #777; font-size: 11px }}
.ours {{ font-weight: bold }}
</style>
<rect width="{WIDTH}" height="{height}" fill="white"/>
{}</svg>
"#,
        canvas.body
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
