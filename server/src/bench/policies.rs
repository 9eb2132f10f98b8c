//! Decisions with a thousand policies of an organisation, and what a flood of bad sign-ins costs everybody else.
use super::{Failure, Ground, answer, millis, percentiles, say};
use crate::{
    audit::event::Who,
    http::{Site, router},
    policies::{Principal, Question, Situation, codes, documents::document, organisation::Organisation},
    workloads,
};
use app::{
    audit::action::Action,
    policies::model::{Class, Role, Tier},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const DOCUMENTS: usize = 1_000;
const PROJECTS: usize = 50;

/// A thousand documents in force, each of two rules: of fifty projects, over six actions.
pub(super) fn decisions(ground: &Ground) -> Result<(), Failure> {
    let actions = ["RevealSecret", "CopySecret", "FetchSecret", "SubmitRequest", "ApproveRequest", "WriteVersion"];
    let texts = (0..DOCUMENTS).map(|n| {
        let (project, action, other) = (n % PROJECTS, actions[n % actions.len()], actions[(n + 1) % actions.len()]);
        let text = format!(
            "forbid (principal, action == Action::\"{action}\", resource in Project::\"p{project}\") \
             when {{ context.tier == \"production\" && context.hour > 22 && context.class == \"critical\" }};\n\
             permit (principal, action == Action::\"{other}\", resource in Project::\"p{project}\") \
             when {{ context.grant && context.tier == \"test\" && context.deciders > {} }};",
            n % 9
        );
        document(&format!("pol_{n}"), &format!("policy-{n}"), 1, &text)
    });
    let organisation = Organisation::new(texts.collect(), 0)?;
    let engine = &ground.console.engine;
    let person = Principal { workload: false, org: codes([Role::Member]), ..Principal::workload("bench") };
    let mut times = Vec::new();
    for n in 0..20_000 {
        let project = format!("p{}", n % PROJECTS);
        let question = Question {
            principal: &person,
            action: if n % 2 == 0 { Action::RevealSecret } else { Action::SubmitRequest },
            resource: "sec_bench",
            situation: Situation {
                grant: true,
                open: true,
                tier: Some(Tier::Staging),
                class: Some(Class::Normal),
                deciders: 2,
                ..Situation::default()
            },
            project: Some(&project),
            environment: Some("staging"),
            address: Some("10.0.0.1"),
            at: ground.console.now(),
        };
        let started = Instant::now();
        let decision = engine.decide_with(&organisation, &question);
        times.push(started.elapsed());
        if decision.refusal.is_some() {
            return Err(format!("{:?}", decision.deciding).into());
        }
    }
    let (p50, p99) = percentiles(times);
    let micros = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6);
    say(&format!("decision, {DOCUMENTS} policies in force: p50 / p99"), &format!("{} / {}", micros(p50), micros(p99)));
    Ok(())
}

/// B12: 200 bad sign-ins a second, each for another name from another address, and what fetches take meanwhile.
pub(super) async fn flood(name: &str, ground: &Arc<Ground>) -> Result<(), Failure> {
    let proxy = "127.0.0.1/32".parse()?;
    let site = Site::new(ground.console.clone(), "http://127.0.0.1", Some(proxy), true);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = router(site).into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(axum_server::from_tcp(listener.into_std()?)?.serve(service));
    let token = workloads::issue_token(&ground.console, &Who::anonymous(), &ground.client_secret).await?.token;
    let request = format!(
        "GET /api/v1/secrets/bench/staging/s/0 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        *token
    );
    let calm = paced(address, &request).await?;
    let sent = Arc::new(AtomicUsize::new(0));
    let answered = Arc::new(AtomicUsize::new(0));
    let mut attackers = Vec::new();
    for n in 0..20_usize {
        let (sent, answered) = (sent.clone(), answered.clone());
        attackers.push(tokio::spawn(async move {
            let mut every = tokio::time::interval(Duration::from_millis(100));
            for round in 0_usize.. {
                every.tick().await;
                let body = format!("login=nobody{n}-{round}&password=not+the+right+words");
                let from = format!("10.{n}.{}.{}", round / 250, round % 250);
                let request = format!(
                    "POST /sign-in HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {from}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                sent.fetch_add(1, Ordering::Relaxed);
                let answered = answered.clone();
                // Each in a task of its own: an attacker does not wait for answers.
                tokio::spawn(async move {
                    let mut stream = TcpStream::connect(address).await?;
                    stream.write_all(request.as_bytes()).await?;
                    let mut all = Vec::new();
                    stream.read_to_end(&mut all).await?;
                    answered.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, std::io::Error>(())
                });
            }
        }));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stormy = paced(address, &request).await?;
    for attacker in attackers {
        attacker.abort();
    }
    serving.abort();
    let (calm, stormy) = (percentiles(calm), percentiles(stormy));
    let figure = format!(
        "p50 {} → {}, p99 {} → {}; {} sent, {} answered",
        millis(calm.0),
        millis(stormy.0),
        millis(calm.1),
        millis(stormy.1),
        sent.load(Ordering::Relaxed),
        answered.load(Ordering::Relaxed)
    );
    say(&format!("B12 {name}: fetches without and with 200 bad sign-ins a second"), &figure);
    Ok(())
}

/// A fetch every 10 ms for five seconds, as a pipeline would.
async fn paced(address: SocketAddr, request: &str) -> Result<Vec<Duration>, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    let mut every = tokio::time::interval(Duration::from_millis(10));
    let mut times = Vec::new();
    for _ in 0..500 {
        every.tick().await;
        let started = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        answer(&mut stream).await?;
        times.push(started.elapsed());
    }
    Ok(times)
}
