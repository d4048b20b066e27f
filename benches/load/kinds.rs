//! The kinds of load, as a table: what is done, how much of it, and which servers can take part.

use anyhow::Result;

use super::acts::{Act, By};
use super::crowd::{self, Plan};
use super::figures::Figures;
use super::server::{Kind as Server, Running};
use super::{churn, idle, ingest, logins, past, trouble};

pub struct Kind {
    pub name: String,
    load: Load,
    quick: bool,
}

enum Load {
    /// Rooms where some speak and all listen.
    Crowd {
        rooms: usize,
        members: usize,
        senders: usize,
        messages: usize,
        rate: Option<f64>,
        alone: bool,
    },
    /// Each sender alone in its room, with so many echoes outstanding.
    Ingest {
        window: usize,
        messages: usize,
    },
    /// Connections that do nothing.
    Idle {
        connections: usize,
    },
    /// Logins, 16 at once, while two people chat.
    Storm {
        seconds: f64,
    },
    /// So many come back after a restart.
    Return {
        clients: usize,
        by: By,
    },
    Join {
        lines: usize,
        times: usize,
    },
    Pages {
        lines: usize,
        pages: usize,
    },
    Search {
        lines: usize,
        questions: usize,
    },
    Start {
        lines: usize,
    },
    Backup {
        lines: usize,
    },
    /// Trouble made by others while two people chat.
    Trouble {
        act: Act,
        limited: bool,
        note: &'static str,
        seconds: f64,
    },
    /// People who come, talk and go.
    Churn {
        minutes: f64,
    },
}

/// All kinds, in the order of the report. `quick`: a hundredth of the work. `minutes`: of the churn, which is left out
/// without it.
pub fn all(quick: bool, minutes: Option<f64>) -> Vec<Kind> {
    let few = |full: usize, small: usize| if quick { small } else { full };
    let mut kinds = Vec::new();
    let mut add = |name: &str, load: Load| kinds.push(Kind { name: name.to_owned(), load, quick });
    let crowd =
        |rooms, members, senders, messages, rate| Load::Crowd { rooms, members, senders, messages, rate, alone: false };
    add("fanout-100-rate-200", crowd(1, few(100, 20), 10, few(3_000, 100), Some(200.0)));
    add("fanout-100-full", crowd(1, few(100, 20), 10, few(40_000, 500), None));
    add("fanout-1000-rate-50", crowd(1, few(1_000, 50), 10, few(600, 50), Some(50.0)));
    add("fanout-1000-full", crowd(1, few(1_000, 50), 10, few(4_000, 100), None));
    add("rooms-200x10-rate-1000", crowd(few(200, 5), 10, 1, few(10_000, 200), Some(1_000.0)));
    add("rooms-200x10-full", crowd(few(200, 5), 10, 1, few(100_000, 500), None));
    add("ingest-window-32", Load::Ingest { window: 32, messages: few(400_000, 2_000) });
    add("ingest-window-1", Load::Ingest { window: 1, messages: few(30_000, 500) });
    add("idle-2000", Load::Idle { connections: few(2_000, 100) });
    add("idle-10000", Load::Idle { connections: few(10_000, 100) });
    add("login-storm", Load::Storm { seconds: if quick { 1.0 } else { 12.0 } });
    for (name, by) in [("password", By::Password), ("token", By::Token), ("certificate", By::Certificate)] {
        add(&format!("return-2000-{name}"), Load::Return { clients: few(2_000, 60), by });
    }
    let most = few(10_000_000, 10_000);
    let lengths: &[usize] = if quick { &[10_000] } else { &[10_000, 100_000, 1_000_000, 10_000_000] };
    for lines in lengths {
        add(&format!("pages-{lines}"), Load::Pages { lines: *lines, pages: few(5_000, 50) });
    }
    for lines in [10_000, most].iter().take(few(2, 1)) {
        add(&format!("join-{lines}"), Load::Join { lines: *lines, times: few(500, 10) });
    }
    for lines in lengths {
        add(&format!("search-{lines}"), Load::Search { lines: *lines, questions: few(500, 20) });
    }
    for lines in lengths {
        add(&format!("start-{lines}"), Load::Start { lines: *lines });
    }
    add(&format!("backup-{most}"), Load::Backup { lines: most });
    for (name, act, limited, note) in trouble::all() {
        let seconds = if quick { 1.0 } else { 15.0 };
        add(&format!("trouble-{name}"), Load::Trouble { act, limited, note, seconds });
    }
    let grow =
        |rooms, members, senders, messages| Load::Crowd { rooms, members, senders, messages, rate: None, alone: true };
    for members in [10, 30, 100, 300, 1_000, 3_000, 5_000] {
        let messages = few(3_000_000 / members, 50);
        add(&format!("grow-members-{members}"), grow(1, few(members, 10), 5, messages.min(60_000)));
    }
    for rooms in [1, 10, 100, 1_000, 10_000] {
        add(&format!("grow-rooms-{rooms}"), grow(few(rooms, 2), 10, 1, few(60_000, 100)));
    }
    if let Some(minutes) = minutes {
        add("churn", Load::Churn { minutes });
    }
    kinds
}

impl Kind {
    pub fn suits(&self, server: &Server) -> bool {
        match self.load {
            // ngIRCd takes minutes to let two thousand in, and loses lines of a thousand.
            Load::Crowd { rooms, members, .. } if rooms * members >= 1_000 && *server == Server::Ngircd => false,
            Load::Idle { .. } if *server == Server::Ngircd => false,
            Load::Crowd { alone, .. } => !alone || server.is_chatd(),
            Load::Idle { .. } => true,
            // ngIRCd has no echo to wait for.
            Load::Ingest { .. } => *server != Server::Ngircd,
            _ => server.is_chatd(),
        }
    }

    /// How often it is run: more than once where the difference to another server is small and the machine's noise is not.
    pub fn runs(&self) -> usize {
        match self.load {
            Load::Crowd { alone: false, .. } | Load::Ingest { .. } if !self.quick => 3,
            _ => 1,
        }
    }

    pub async fn run(&self, server: &Server) -> Result<Figures> {
        let name = self.name.clone();
        match &self.load {
            &Load::Crowd { rooms, members, senders, messages, rate, .. } => {
                let plan = Plan { name, rooms, members, senders, messages, rate };
                let running = Running::start(server, plan.clients())?;
                crowd::run(&plan, &running).await
            }
            &Load::Ingest { window, messages } => ingest::run(name, server, window, messages).await,
            &Load::Idle { connections } => idle::run(name, server, connections).await,
            &Load::Storm { seconds } => logins::storm(name, server, seconds).await,
            &Load::Return { clients, by } => logins::come_back(name, server, clients, by).await,
            &Load::Join { lines, times } => past::join(name, server, lines, times).await,
            &Load::Pages { lines, pages } => past::pages(name, server, lines, pages).await,
            &Load::Search { lines, questions } => past::search(name, server, lines, questions).await,
            &Load::Start { lines } => past::start(name, server, lines).await,
            &Load::Backup { lines } => past::backup(name, server, lines).await,
            Load::Trouble { act, limited, note, seconds } => {
                trouble::run(name, server, act.clone(), *limited, note, *seconds, self.quick).await
            }
            &Load::Churn { minutes } => churn::run(name, server, minutes).await,
        }
    }
}
