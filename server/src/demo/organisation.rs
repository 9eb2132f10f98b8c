//! Meridian Freight: a company that does not exist.
use app::{
    catalog::model::Kind::{self, ApiKey, Certificate, Database, Opaque, Password, SshKey},
    policies::model::{
        Class::{self, Critical, High, Low, Normal},
        Role,
    },
};

pub const NAME: &str = "Meridian Freight";

/// `(login, name)`; the first one makes everything else.
pub const PEOPLE: [(&str, &str); 15] = [
    ("anneliese.hohenberg", "Anneliese von Hohenberg-Castellanos"),
    ("mara.lindqvist", "Mara Lindqvist"),
    ("ewa.nowak", "Ewa Nowak"),
    ("samir.haddad", "Samir Haddad"),
    ("magnus.berg", "Magnus Berg"),
    ("iris.okonkwo", "Iris Okonkwo"),
    ("teodor.ilic", "Teodor Ilić-Brandt"),
    ("chen.rui", "Chen Rui"),
    ("priya.raghunathan", "Priya Raghunathan"),
    ("ingrid.solberg", "Ingrid Solberg"),
    ("jonas.weidmann", "Jonas Weidmann"),
    ("tomas.varga", "Tomás Varga"),
    ("lucia.ferraro", "Lucia Ferraro"),
    ("oskar.lind", "Oskar Lind"),
    (OUTSIDE, "Henrik Aalto"),
];

/// Comes only once there is something to audit.
pub const OUTSIDE: &str = "henrik.aalto";

/// `(slug, name, members)`
pub const TEAMS: [(&str, &str, &[&str]); 3] = [
    ("payments", "Payments", &["iris.okonkwo", "teodor.ilic", "jonas.weidmann"]),
    ("platform", "Platform", &["chen.rui", "priya.raghunathan", "tomas.varga", "oskar.lind"]),
    ("data", "Data", &["ingrid.solberg", "lucia.ferraro"]),
];

/// `(person, role, project)`
pub const ROLES: [(&str, Role, Option<&str>); 11] = [
    ("mara.lindqvist", Role::Security, None),
    ("ewa.nowak", Role::Security, None),
    ("samir.haddad", Role::Auditor, None),
    ("magnus.berg", Role::Lead, None),
    ("iris.okonkwo", Role::Lead, Some("payments")),
    ("teodor.ilic", Role::Lead, Some("payments")),
    ("teodor.ilic", Role::Lead, Some("identity")),
    ("chen.rui", Role::Lead, Some("tracking")),
    ("priya.raghunathan", Role::Lead, Some("customs-gateway")),
    ("ingrid.solberg", Role::Lead, Some("data-platform")),
    ("chen.rui", Role::Lead, Some("identity")),
];

pub struct Project {
    pub slug: &'static str,
    pub name: &'static str,
    pub what: &'static str,
    pub team: &'static str,
    pub open: bool,
    /// Who keeps its secrets.
    pub lead: &'static str,
    /// Who asks for them.
    pub users: &'static [&'static str],
    pub secrets: &'static [(&'static str, Kind, Class)],
    /// A workload of its production and what it fetches: how many secrets from the list's beginning.
    pub workload: (&'static str, usize),
}

pub const PROJECTS: [Project; 5] = [
    Project {
        slug: "payments",
        name: "payments",
        what: "Card and bank settlement.",
        team: "payments",
        open: true,
        lead: "iris.okonkwo",
        users: &["jonas.weidmann", "tomas.varga", "teodor.ilic"],
        secrets: &[
            ("db/settlement-primary", Database, Critical),
            ("db/settlement-replica", Database, Critical),
            ("db/settlement-archive", Database, High),
            ("bank/sepa-creditor-key", ApiKey, High),
            ("bank/swift-relay-passphrase-for-the-secondary-site-in-frankfurt", Password, High),
            ("cards/acquirer-api", ApiKey, High),
            ("cards/tokenisation-hmac", Opaque, Critical),
            ("ledger/export-signing", Certificate, Normal),
            ("mail/receipts-smtp", Password, Low),
            ("queue/settlement-broker", Password, Normal),
        ],
        workload: ("settlement-worker", 6),
    },
    Project {
        slug: "identity",
        name: "identity",
        what: "Sign-in for customers and carriers.",
        team: "platform",
        open: true,
        lead: "teodor.ilic",
        users: &["tomas.varga", "chen.rui", "jonas.weidmann", "oskar.lind"],
        secrets: &[
            ("saml/signing-key", Certificate, Critical),
            ("oidc/client-partners", ApiKey, Normal),
            ("oidc/client-drivers-app", ApiKey, Normal),
            ("db/accounts", Database, High),
            ("mail/verification-smtp", Password, Low),
            ("captcha/site-secret", ApiKey, Low),
            ("sms/gateway-token", ApiKey, Normal),
        ],
        workload: ("identity-api", 4),
    },
    Project {
        slug: "tracking",
        name: "tracking",
        what: "Where every container is.",
        team: "platform",
        open: true,
        lead: "chen.rui",
        users: &["tomas.varga", "lucia.ferraro", "oskar.lind"],
        secrets: &[
            ("ais/feed-token", ApiKey, Normal),
            ("carriers/webhook-secret", Opaque, Normal),
            ("db/positions", Database, Normal),
            ("maps/tiles-key", ApiKey, Low),
            ("mqtt/fleet-password", Password, Normal),
            ("sftp/port-authority", SshKey, High),
            ("alerts/pager-token", ApiKey, Low),
        ],
        workload: ("position-ingest", 4),
    },
    Project {
        slug: "customs-gateway",
        name: "customs gateway",
        what: "Declarations to eleven authorities.",
        team: "platform",
        open: false,
        lead: "priya.raghunathan",
        users: &["tomas.varga", "magnus.berg"],
        secrets: &[
            ("broker/as2-signing-cert", Certificate, High),
            ("broker/as2-password", Password, High),
            ("authority/atlas-credentials", Database, High),
            ("authority/ncts-token", ApiKey, Normal),
            ("db/declarations", Database, High),
            ("archive/worm-bucket-key", ApiKey, Normal),
        ],
        workload: ("declaration-sender", 4),
    },
    Project {
        slug: "data-platform",
        name: "data platform",
        what: "Warehouse, forecasts and regulatory reporting.",
        team: "data",
        open: true,
        lead: "ingrid.solberg",
        users: &["lucia.ferraro", "jonas.weidmann"],
        secrets: &[
            ("warehouse/loader-password", Database, Normal),
            ("warehouse/reader-password", Database, Normal),
            ("emissions/registry-token", ApiKey, Normal),
            ("lake/bucket-key", ApiKey, High),
            ("ml/feature-store", Password, Low),
            ("bi/embedding-secret", Opaque, Low),
            ("forecast/weather-key", ApiKey, Low),
            ("kafka/connect-sasl", Password, Normal),
        ],
        workload: ("carbon-reporter", 5),
    },
];

/// Why somebody asks: plausible, and never a value.
pub const REASONS: [&str; 10] = [
    "PAY-2291: nightly totals differ from the bank file. I need to run the reconciliation query.",
    "INC-118: the job fails since the broker moved; I want to see whether the password still fits.",
    "OPS-774: renewing the certificate with the partner, they ask for the present one’s serial.",
    "TRK-310: the feed returns 401 since this morning.",
    "DP-774: quarterly emissions report, the loader has to be run by hand once.",
    "OPS-802: comparing staging with production after the failover drill.",
    "INC-131: customers cannot sign in from the partner portal.",
    "OPS-815: moving the consumer to the new host, old one switched off on Friday.",
    "PAY-2310: the acquirer asks for a test call with the live credentials.",
    "CUS-88: the authority rejected our signature, checking the key by hand.",
];

pub const COMMENTS: [&str; 6] = [
    "Ticket checked.",
    "Fine. Give it back when you are done.",
    "Agreed with the on-call lead.",
    "Seen, and short enough.",
    "As discussed this morning.",
    "",
];

pub const DENIALS: [&str; 3] =
    ["No ticket given.", "Use the replica in staging for this.", "The runbook does it without the value: step 4."];
