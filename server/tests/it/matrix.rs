//! The golden matrix: every action, by every role, in every situation that changes the answer. A change of any built-in
//! policy shows as a diff of `server/golden/matrix.txt`; write it anew with `COUNTERSIGN_WRITE_GOLDEN=1`.
use app::{
    audit::action::Action,
    policies::model::{Class, Role, Tier},
};
use server::policies::{Engine, Principal, Question, Situation, codes};
use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

/// Principals by name: roles in the organisation, roles in the project. Those who are unproved did not show a second factor.
const PRINCIPALS: [(&str, &[Role], &[Role]); 13] = [
    ("member", &[Role::Member], &[]),
    ("member-here", &[Role::Member], &[Role::Member]),
    ("lead-here", &[Role::Member], &[Role::Lead]),
    ("security", &[Role::Member, Role::Security], &[]),
    ("auditor", &[Role::Member, Role::Auditor], &[]),
    ("admin", &[Role::Member, Role::Admin], &[]),
    ("auditor-and-lead", &[Role::Member, Role::Auditor], &[Role::Lead]),
    ("auditor-here", &[Role::Member], &[Role::Auditor]),
    ("lead-unproved", &[Role::Member], &[Role::Lead]),
    ("security-unproved", &[Role::Member, Role::Security], &[]),
    ("admin-unproved", &[Role::Member, Role::Admin], &[]),
    ("lead-new", &[Role::Member], &[Role::Lead]),
    ("workload", &[], &[]),
];

/// Actions that nobody is asked about: the service's own.
const SYSTEM: &[Action] = &[
    Action::CreateLog,
    Action::StartService,
    Action::StopService,
    Action::Heartbeat,
    Action::RestoreLog,
    Action::RejectRow,
    Action::SuppressRepeats,
    Action::SignIn,
    Action::JoinOrganisation,
    Action::ExpireRequest,
    Action::VoidRequest,
    Action::IssueGrant,
    Action::EndGrant,
    Action::RevokeToken,
    Action::MissRotation,
    Action::WithdrawNew,
    Action::OpenCase,
    Action::CloseCase,
    Action::ReopenCase,
    Action::ProposeChange,
    Action::ExpireChange,
    Action::OvertakeChange,
    Action::ReadGroups,
    Action::SignOutAtProvider,
    Action::ProveFactor,
    Action::VoidDecision,
    Action::SupersedeLevel,
];

fn situations() -> Vec<(String, Situation)> {
    let two = Situation { deciders: 2, ..Situation::default() };
    let mut all = vec![("plain".to_owned(), two)];
    all.push(("own".into(), Situation { own: true, ..two }));
    all.push(("team".into(), Situation { team: true, ..two }));
    all.push(("open".into(), Situation { open: true, ..two }));
    for tier in Tier::ALL {
        for class in [Class::Normal, Class::Critical] {
            for grant in [false, true] {
                let name = format!("{} {}{}", tier.code(), class.code(), if grant { " grant" } else { "" });
                all.push((name, Situation { tier: Some(*tier), class: Some(class), grant, open: true, ..two }));
            }
        }
    }
    let alone = Situation {
        tier: Some(Tier::Production),
        class: Some(Class::Normal),
        grant: true,
        open: true,
        ..Situation::default()
    };
    all.push(("production normal grant, one person".into(), alone));
    all.push(("loosens".into(), Situation { loosens: true, ..two }));
    all
}

fn asked(principal: &Principal, action: Action, situation: Situation) -> Question<'_> {
    let (project, at) = (Some("payments"), app::time::Moment::default());
    Question { principal, action, resource: "thing", situation, project, environment: None, address: None, at }
}

fn print() -> String {
    let engine = Engine::built_in().unwrap();
    let mut text = String::from("# action | situation | who may; the deciding policy of those who may not\n");
    for action in Action::ALL.iter().filter(|action| !SYSTEM.contains(action)) {
        let mut former = String::new();
        for (name, situation) in situations() {
            let mut may = Vec::new();
            let mut not = BTreeSet::new();
            for (who, org, here) in PRINCIPALS {
                let principal = Principal {
                    factor: true,
                    proved: !who.ends_with("-unproved"),
                    new_factor: who.ends_with("-new"),
                    workload: who == "workload",
                    org: codes(org.iter().copied()),
                    here: codes(here.iter().copied()),
                    ..Principal::workload(&format!("{who}-1"))
                };
                let decision = engine.decide(&asked(&principal, *action, situation));
                match decision.refusal {
                    None => may.push(who),
                    Some(refusal) if decision.deciding.id != "default-deny" => {
                        not.insert(format!("{who}: {} ({})", decision.deciding.id, refusal.code()));
                    }
                    Some(_) => {}
                }
            }
            let line = format!(
                "{}{}",
                if may.is_empty() { "nobody".to_owned() } else { may.join(", ") },
                not.iter().map(|not| format!("; {not}")).collect::<String>()
            );
            // A situation that changes nothing against the one before is left out.
            if line != former {
                writeln!(text, "{} | {name} | {line}", action.name()).unwrap();
                former = line;
            }
        }
    }
    text
}

#[test]
fn the_matrix_is_the_reviewed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/matrix.txt");
    let printed = print();
    if std::env::var_os("COUNTERSIGN_WRITE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &printed).unwrap();
    }
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    for (line, (ours, theirs)) in printed.lines().zip(reviewed.lines()).enumerate() {
        assert_eq!(ours, theirs, "line {} of golden/matrix.txt", line + 1);
    }
    assert_eq!(printed.lines().count(), reviewed.lines().count());
}

#[test]
fn no_role_takes_a_value_by_itself() {
    let engine = Engine::built_in().unwrap();
    let everything = Principal {
        factor: true,
        proved: true,
        workload: false,
        org: codes(Role::ALL.iter().copied().filter(|role| *role != Role::Auditor)),
        here: codes([Role::Lead]),
        ..Principal::workload("all")
    };
    for tier in Tier::ALL {
        for action in [Action::RevealSecret, Action::CopySecret, Action::FetchSecret] {
            let situation = Situation {
                own: true,
                team: true,
                open: true,
                tier: Some(*tier),
                class: Some(Class::Low),
                deciders: 9,
                grant: false,
                loosens: false,
            };
            assert!(engine.decide(&asked(&everything, action, situation)).refusal.is_some(), "{action:?} {tier:?}");
        }
    }
}
