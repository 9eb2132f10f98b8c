//! Odd hours of that actor; and the days that every actor is known by.
use super::{Memory, Room, Seen, about, of_nothing};
use crate::{
    audit::leaf::ActorKind,
    signals::model::{Detector, Evidence, Found},
    time::Moment,
};
use chrono::{Datelike, NaiveDate, TimeDelta, Timelike, Weekday};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Days of acting before hours mean something, and over how long.
const DAYS: u32 = 20;
const SPAN: TimeDelta = TimeDelta::days(28);
/// One in so many days is seldom.
const SELDOM: u32 = 50;

/// What is known of an actor.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Habit {
    /// Days on which anything was done, and the last of them: by programs as well.
    pub known: u32,
    pub known_last: NaiveDate,
    /// Days on which something was done by the person themselves: the hours are of these.
    pub days: u32,
    pub weekends: u32,
    /// On how many of them in each hour.
    pub hours: Vec<u32>,
    pub first: NaiveDate,
    pub last: NaiveDate,
    /// Hours of the last day in which something was done already: a bit each.
    pub today: u32,
    pub told: Option<NaiveDate>,
    /// Marks of networks and programs, and when one was told of.
    pub places: BTreeSet<String>,
    pub place_told: Option<Moment>,
}

impl Habit {
    pub(super) fn of(memory: &Memory, actor: &str, day: NaiveDate) -> Self {
        let known = memory.get(Room::Actor, actor);
        known.unwrap_or_else(|| Self { hours: vec![0; 24], first: day, ..Self::default() })
    }
}

fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

pub(super) fn watch(memory: &mut Memory, seen: &Seen) -> Option<Found> {
    let actor = seen.actor().filter(|_| seen.allowed())?;
    let (day, hour) = (seen.leaf.at.date_naive(), seen.leaf.at.hour());
    let mut habit = Habit::of(memory, actor, day);
    habit.hours.resize(24, 0);
    if habit.known_last != day {
        habit.known += 1;
        habit.known_last = day;
    }
    // What a program does teaches nothing of when its owner is awake.
    if !is_judged(seen) {
        memory.put(Room::Actor, actor, &habit, None);
        return None;
    }
    let new_day = habit.last != day;
    if new_day {
        habit.today = 0;
    }
    let new_hour = habit.today & (1 << hour) == 0;
    let found = match new_hour && habit.told != Some(day) {
        true => judge(&habit, day, hour, new_day),
        false => None,
    };
    if found.is_some() {
        habit.told = Some(day);
    }
    if new_day {
        habit.days += 1;
        habit.weekends += u32::from(is_weekend(day));
        habit.last = day;
    }
    if new_hour {
        habit.today |= 1 << hour;
        habit.hours[hour as usize] += 1;
    }
    memory.put(Room::Actor, actor, &habit, None);
    found.map(|evidence| of_nothing(about(seen, Detector::Hours, evidence, vec![seen.leaf.seq])))
}

/// Programs run by the clock, whatever it says.
fn is_judged(seen: &Seen) -> bool {
    seen.leaf.actor.kind == ActorKind::Person && seen.leaf.actor.method.as_deref() != Some("token")
}

fn judge(habit: &Habit, day: NaiveDate, hour: u32, new_day: bool) -> Option<Evidence> {
    // The day under way is no witness for itself.
    let days = if new_day { habit.days } else { habit.days.saturating_sub(1) };
    let of_today = |at: u32| u32::from(!new_day && habit.today & (1 << at) != 0);
    let before = |at: u32| habit.hours[at as usize] - of_today(at).min(habit.hours[at as usize]);
    if days < DAYS || day - habit.first < SPAN {
        return None;
    }
    let near = [(hour + 23) % 24, hour, (hour + 1) % 24].map(before).into_iter().max().unwrap_or_default();
    let weekends = if new_day || !is_weekend(day) { habit.weekends } else { habit.weekends.saturating_sub(1) };
    let by_hour = near * SELDOM < days;
    let by_weekend = is_weekend(day) && weekends * SELDOM < days;
    let hours = (0..24).map(before).collect();
    (by_hour || by_weekend).then_some(Evidence::Hours { hour, by_hour, by_weekend, days, weekends, hours })
}
