//! An address or a program that was never seen with this actor.
use super::{Memory, Room, Seen, about, hours::Habit};
use crate::signals::model::{Detector, Evidence, Found};
use chrono::TimeDelta;
use std::net::IpAddr;

/// Days of acting after which an actor's places are known.
const KNOWN: u32 = 10;
/// More places than this are no habit: nothing more is remembered, and nothing more is told.
const MOST: usize = 1_000;
/// One actor is told of once in this time: a program may call itself anything.
const QUIET: TimeDelta = TimeDelta::hours(1);

/// The network that an address belongs to: IPv4 /24, IPv6 /48. Addresses within it change by themselves.
pub fn network(address: &str) -> Option<String> {
    match address.trim().parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            Some(format!("{a:x}:{b:x}:{c:x}::/48"))
        }
    }
}

/// Browser and system, or a program's name: without versions, which change by themselves.
pub fn program(agent: &str) -> Option<String> {
    let agent = agent.trim();
    if agent.is_empty() {
        return None;
    }
    if !agent.starts_with("Mozilla/") {
        return Some(agent.split(['/', ' ']).next().unwrap_or(agent).to_ascii_lowercase());
    }
    // The first that fits: each says that it is also the later ones.
    let browsers = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("HeadlessChrome/", "Headless Chrome"),
        ("Chrome/", "Chrome"),
        ("Firefox/", "Firefox"),
        ("Safari/", "Safari"),
    ];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let named = |of: &[(&str, &'static str)], other: &'static str| {
        of.iter().find(|(mark, _)| agent.contains(mark)).map_or(other, |(_, name)| name)
    };
    Some(format!("{} on {}", named(&browsers, "another browser"), named(&systems, "another system")))
}

pub(super) fn watch(memory: &mut Memory, seen: &Seen) -> Option<Found> {
    let actor = seen.actor().filter(|_| seen.allowed())?;
    let mut habit = Habit::of(memory, actor, seen.leaf.at.date_naive());
    if habit.places.len() >= MOST {
        return None;
    }
    let mut is_new = |mark: &Option<String>| mark.as_ref().is_some_and(|mark| habit.places.insert(mark.clone()));
    let (network, agent) = (is_new(&seen.network), is_new(&seen.program));
    if !network && !agent {
        return None;
    }
    let (now, days) = (seen.leaf.at, habit.known);
    let told = days >= KNOWN && habit.place_told.is_none_or(|told| now - told >= QUIET);
    if told {
        habit.place_told = Some(now);
    }
    memory.put(Room::Actor, actor, &habit, None);
    let evidence = Evidence::Place { network, agent, days };
    told.then(|| about(seen, Detector::Place, evidence, vec![seen.leaf.seq]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_neighbours_are_no_news() {
        assert_eq!(network("10.20.4.133"), network("10.20.4.7"));
        assert_ne!(network("10.20.4.133"), network("10.20.5.133"));
        assert_eq!(network("::ffff:10.20.4.1"), network("10.20.4.9"));
        assert_eq!(network("2001:db8:7:1::1"), network("2001:db8:7:ffff::9"));
        assert_eq!(network("somewhere"), None);
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0";
        assert_eq!(program(firefox).as_deref(), Some("Firefox on Linux"));
        let chrome =
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
        assert_eq!(program(chrome).as_deref(), Some("Chrome on Windows"));
        assert_eq!(program(&format!("{chrome} Edg/131.0")).as_deref(), Some("Edge on Windows"));
        assert_eq!(program("pipeline/2.4"), program("pipeline/3.0"));
        assert_eq!(program(""), None);
    }
}
