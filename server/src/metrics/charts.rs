//! Charts as SVG by plotters: shapes alone, stretched to their place by the page, in the theme's colours by class. What is to
//! be read stands beside them as text, so that it is sharp at any width.
use plotters::coord::Shift;
use plotters::{
    backend::SVGBackend,
    prelude::{DrawingArea, IntoDrawingArea, PathElement, Rectangle},
    style::{Color as _, RGBColor, ShapeStyle},
};

/// A role of a shape: drawn in a colour that stands for it, which becomes its class.
#[derive(Clone, Copy)]
pub enum Role {
    Bar,
    Second,
    Quiet,
    Warn,
    Grid,
    Goal,
    Within,
    Mean,
    Dot,
    Late,
    Open,
    Step,
}

const ROLES: [(Role, &str); 12] = [
    (Role::Bar, "bar"),
    (Role::Second, "bar-2"),
    (Role::Quiet, "bar-quiet"),
    (Role::Warn, "bar-warn"),
    (Role::Grid, "grid"),
    (Role::Goal, "goal"),
    (Role::Within, "band-ok"),
    (Role::Mean, "mean"),
    (Role::Dot, "dot"),
    (Role::Late, "dot-late"),
    (Role::Open, "dot-open"),
    (Role::Step, "step"),
];

impl Role {
    fn colour(self) -> RGBColor {
        RGBColor(0, 0, self as u8 + 1)
    }

    fn filled(self) -> ShapeStyle {
        self.colour().filled()
    }

    fn stroked(self) -> ShapeStyle {
        self.colour().stroke_width(1)
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Width of every chart's own coordinates; the page stretches them.
const WIDTH: u32 = 600;

/// Draws, and gives what was drawn a class instead of a colour.
fn drawn(height: u32, draw: impl FnOnce(&Area<'_>)) -> String {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        draw(&area);
        // A backend that writes to a string cannot fail.
        let _ = area.present();
    }
    for (role, class) in ROLES {
        let colour = format!("#{:06X}", role as u8 + 1);
        text = text.replace(&format!("fill=\"{colour}\""), &format!("class=\"{class}\""));
        text = text.replace(&format!("stroke=\"{colour}\""), &format!("class=\"{class}\""));
    }
    for noise in [" stroke=\"none\"", " fill=\"none\"", " opacity=\"1\"", " stroke-width=\"1\""] {
        text = text.replace(noise, "");
    }
    let inside = text.split_once('>').map_or("", |(_, rest)| rest).trim_end().trim_end_matches("</svg>").trim();
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" preserveAspectRatio=\"none\" aria-hidden=\"true\" focusable=\"false\">{inside}</svg>"
    )
}

fn rect(area: &Area<'_>, role: Role, (x, y): (f64, f64), (right, bottom): (f64, f64)) {
    let corner = |x: f64, y: f64| (x.round() as i32, y.round() as i32);
    let _ = area.draw(&Rectangle::new([corner(x, y), corner(right, bottom)], role.filled()));
}

fn line(area: &Area<'_>, role: Role, points: Vec<(f64, f64)>) {
    let points: Vec<(i32, i32)> = points.into_iter().map(|(x, y)| (x.round() as i32, y.round() as i32)).collect();
    let _ = area.draw(&PathElement::new(points, role.stroked()));
}

/// Bars side by side, each as high as its share of the highest. `marked` ones are drawn to be seen.
pub fn bars(values: &[u64], role: Role, marked: &[usize]) -> String {
    const HEIGHT: f64 = 60.0;
    drawn(HEIGHT as u32 + 1, |area| {
        let highest = values.iter().copied().max().unwrap_or(0).max(1) as f64;
        let step = f64::from(WIDTH) / values.len().max(1) as f64;
        for (place, value) in values.iter().enumerate().filter(|(_, value)| **value > 0) {
            // What is there is seen, however little of the highest it is.
            let height = (*value as f64 / highest * HEIGHT).max(1.0);
            let (left, right) = (place as f64 * step + step * 0.15, (place + 1) as f64 * step - step * 0.15);
            let role = if marked.contains(&place) { Role::Warn } else { role };
            rect(area, role, (left, HEIGHT - height), (right.max(left + 1.0), HEIGHT));
        }
        line(area, Role::Grid, vec![(0.0, HEIGHT), (f64::from(WIDTH), HEIGHT)]);
    })
}

/// One part of a whole, as a line.
pub fn part(part: u64, whole: u64) -> String {
    drawn(8, |area| {
        rect(area, Role::Quiet, (0.0, 3.0), (f64::from(WIDTH), 5.0));
        let width = part as f64 / whole.max(1) as f64 * f64::from(WIDTH);
        if part > 0 {
            rect(area, Role::Second, (0.0, 0.0), (width.max(2.0), 8.0));
        }
    })
}

/// A count that changes in steps.
pub fn steps(values: &[u64]) -> String {
    const HEIGHT: f64 = 60.0;
    drawn(HEIGHT as u32 + 1, |area| {
        let highest = values.iter().copied().max().unwrap_or(0).max(1) as f64;
        let step = f64::from(WIDTH) / values.len().max(1) as f64;
        let mut points = Vec::new();
        for (place, value) in values.iter().enumerate() {
            let y = HEIGHT - *value as f64 / highest * (HEIGHT - 4.0);
            points.extend([(place as f64 * step, y), ((place + 1) as f64 * step, y)]);
        }
        line(area, Role::Grid, vec![(0.0, HEIGHT), (f64::from(WIDTH), HEIGHT)]);
        line(area, Role::Step, points);
    })
}

/// A case on the strip: how long, and how it stands.
#[derive(Clone, Copy)]
pub struct Case {
    pub minutes: i64,
    pub late: bool,
    pub open: bool,
}

/// The ends of the logarithmic axis, in minutes: a quarter of an hour and ninety days.
pub const AXIS: (f64, f64) = (15.0, 129_600.0);

/// Where a length lies on the axis, from 0 to 1.
pub fn place(minutes: i64) -> f64 {
    let at = (minutes.max(1) as f64).clamp(AXIS.0, AXIS.1);
    (at / AXIS.0).ln() / (AXIS.1 / AXIS.0).ln()
}

/// Cases on a logarithmic axis, with the target and the mean.
pub fn strip(cases: &[Case], target: Option<i64>, mean: Option<i64>) -> String {
    const HEIGHT: i32 = 32;
    drawn(HEIGHT as u32, |area| {
        let x = |minutes: i64| 4.0 + place(minutes) * (f64::from(WIDTH) - 8.0);
        if let Some(target) = target {
            rect(area, Role::Within, (0.0, 4.0), (x(target), f64::from(HEIGHT - 4)));
            line(area, Role::Goal, vec![(x(target), 2.0), (x(target), f64::from(HEIGHT - 2))]);
        }
        for minutes in [60, 1_440, 10_080] {
            line(area, Role::Grid, vec![(x(minutes), 0.0), (x(minutes), f64::from(HEIGHT))]);
        }
        for (n, case) in cases.iter().enumerate() {
            let role = match case {
                Case { open: true, .. } => Role::Open,
                Case { late: true, .. } => Role::Late,
                Case { .. } => Role::Dot,
            };
            // A tick each: stretched, it stays one. Spread up and down so that what lies together is told apart.
            let y = f64::from(5 + (n as i32 * 7) % (HEIGHT - 16));
            line(area, role, vec![(x(case.minutes), y), (x(case.minutes), y + 7.0)]);
        }
        if let Some(mean) = mean {
            line(area, Role::Mean, vec![(x(mean), 2.0), (x(mean), f64::from(HEIGHT - 2))]);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_classes_and_no_colours() {
        let cases = [Case { minutes: 30, late: false, open: false }, Case { minutes: 90_000, late: true, open: false }];
        let all = [
            bars(&[1, 0, 7], Role::Bar, &[2]),
            part(1, 3),
            steps(&[3, 3, 1]),
            strip(&cases, Some(1_440), Some(600)),
            bars(&[], Role::Bar, &[]),
            part(0, 0),
        ];
        for svg in all {
            assert!(svg.starts_with("<svg class=\"chart\"") && svg.ends_with("</svg>"), "{svg}");
            for wrong in ["#0", "style=", "<text", "fill=\"", "stroke=\"#"] {
                assert!(!svg.contains(wrong), "{wrong}: {svg}");
            }
        }
        let svg = bars(&[1, 0, 7], Role::Bar, &[2]);
        assert_eq!((svg.matches("class=\"bar\"").count(), svg.matches("class=\"bar-warn\"").count()), (1, 1), "{svg}");
    }

    #[test]
    fn the_axis_is_logarithmic_and_bounded() {
        assert!(place(0) == 0.0 && place(i64::MAX) == 1.0);
        assert!(place(60) < place(120) && (place(120) - place(60) - (place(240) - place(120))).abs() < 1e-9);
    }
}
