//! A random program of commands by random people, on several devices each, over the wire of a real server: everybody is
//! shown exactly the lines that the small model of rooms says, once, in order; refusals are the ones it says; and so are
//! the names, the histories, and what is left after the power has been cut.

mod rooms;

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use crate::harness::{Client, Line, Server, eventually};
use rooms::{Change, Command, Model, No, PEOPLE, Person, ROOMS, Speech};

/// How many programs; each has a server of its own. More by `PROPTEST_CASES`.
const PROGRAMS: u32 = 12;
/// Devices of one person at once.
const DEVICES: usize = 2;

const CAPS: &[&str] = &[
    "message-tags",
    "server-time",
    "batch",
    "echo-message",
    "labeled-response",
    "extended-join",
    "invite-notify",
    "multi-prefix",
    "draft/chathistory",
    "draft/event-playback",
    "draft/channel-rename",
    "draft/message-redaction",
];

/// The commands whose lines the model knows.
const TOLD: &[&str] =
    &["JOIN", "PART", "QUIT", "KICK", "INVITE", "TOPIC", "MODE", "PRIVMSG", "NOTICE", "REDACT", "RENAME"];

#[derive(Clone, Debug)]
enum Act {
    Command(Person, Command),
    PowerCut,
}

fn any_programs() -> impl Strategy<Value = Vec<Act>> {
    let command = rooms::any_command(true, false).prop_map(|(who, command)| Act::Command(who, command));
    let act = prop_oneof![80 => command, 1 => Just(Act::PowerCut)];
    prop::collection::vec(act, 1..150).prop_map(|acts| {
        let mut program: Vec<Act> = (0..PEOPLE.len()).map(|who| Act::Command(who, Command::Connect)).collect();
        program.extend((0..3).map(|who| Act::Command(who, Command::Join(1, None))));
        program.extend(acts);
        program
    })
}

struct Stage {
    server: Server,
    model: Model,
    /// By person, the oldest device first.
    devices: [Vec<Client>; PEOPLE.len()],
    /// An administrator who is in no room, and sees all lists of names.
    watcher: Client,
    /// The ids of messages by their texts, and the other way round.
    ids: HashMap<String, String>,
    texts: HashMap<String, String>,
}

impl Stage {
    async fn new() -> Stage {
        let mut setup = Server::configure()
            .set("server.presence_grace", "0s")
            .set("rooms.auto_join", [ROOMS[0]])
            .set("limits.rooms_per_account", rooms::ROOMS_EACH as i64);
        for (at, name) in PEOPLE.iter().enumerate() {
            setup = if at == rooms::ADMIN { setup.administrator(name) } else { setup.user(name) };
        }
        let server = setup.start().await;
        let watcher = watcher(&server).await;
        let mut model = Model::by_name();
        // The watcher's first login has made it.
        model.create(ROOMS[0], None);
        Stage { server, model, devices: Default::default(), watcher, ids: HashMap::new(), texts: HashMap::new() }
    }

    async fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        let (who, command) = match act {
            Act::PowerCut => return self.cut_power().await,
            Act::Command(who, _) if !self.model.is_here(*who) => (*who, &Command::Connect),
            Act::Command(who, Command::Connect) if self.model.devices[*who] == DEVICES => return Ok(()),
            Act::Command(who, command) => (*who, command),
        };
        let at = self.model.find(who, command);
        let message = match command {
            Command::Redact(_, back) | Command::RedactWith(_, back) => self.model.message(*back),
            _ => None,
        };
        let line = self.line(command, message);
        let rooms = self.rooms_of(who);
        let expected = self.model.perform(who, command, at, message);
        // What each device was shown, the acting one first.
        let mut shown = Vec::new();
        match command {
            Command::Connect => {
                let mut client = self.server.login_with(PEOPLE[who], CAPS).await;
                if who == rooms::ADMIN {
                    client.ask(&format!("OPER {0} the-word-of-{0}", PEOPLE[who])).await;
                }
                self.compare_greeting(who, &client.greeting)?;
                self.devices[who].push(client);
            }
            Command::Quit => {
                let client = self.devices[who].pop().expect("a device");
                client.quit("").await;
                if !self.model.is_here(who) {
                    for no in rooms {
                        self.gone(who, self.model.rooms[no].name).await;
                    }
                }
            }
            _ => {
                let lines = self.devices[who][0].ask(&line).await;
                let errors: Vec<&Line> = lines.iter().filter(|line| line.is_error()).collect();
                // Nobody is told why a notice was not taken.
                let silent = matches!(command, Command::Say(_, Speech::Notice));
                let refused: Vec<No> = if silent { Vec::new() } else { expected.refused.clone() };
                prop_assert!(
                    errors.len() == refused.len() && errors.iter().zip(&refused).all(|(line, no)| is_about(line, *no)),
                    "{} says {:?} and is answered {:?}, not {:?}",
                    PEOPLE[who],
                    line,
                    errors,
                    refused
                );
                shown.push((who, lines));
            }
        }
        for person in 0..PEOPLE.len() {
            let acting = usize::from(person == who && !shown.is_empty());
            for device in self.devices[person].iter_mut().skip(acting) {
                let newcomer = *command == Command::Connect && person == who;
                let lines = device.sync().await;
                // The greeting has been looked at, and the older device knows the rooms.
                shown.push((person, if newcomer { Vec::new() } else { lines }));
            }
        }
        for (at, (person, lines)) in shown.iter().enumerate() {
            let skip = *command == Command::Connect && *person == who;
            let acts = at == 0 && *person == who;
            let is_told = |told: &&rooms::Told| (told.to.contains(person) || told.doer && acts) && !skip;
            let told = expected.told.iter().filter(is_told);
            let told: Vec<String> = told.map(shape_of).collect();
            let lines: Vec<String> = lines.iter().filter_map(|line| self.shape(line)).collect();
            prop_assert_eq!(&lines, &told, "{} is shown, after {} did {:?}", PEOPLE[*person], PEOPLE[who], command);
        }
        if let Command::Join(..) = command
            && let Some(told) = expected.told.first()
        {
            let lines = &shown[0].1;
            let no = self.model.rooms.iter().position(|room| room.name == told.target).expect("the room joined");
            self.compare_entrance(no, lines)?;
        }
        Ok(())
    }

    /// A command as it is written.
    fn line(&self, command: &Command, message: Option<usize>) -> String {
        let word = |speech: &Speech| if *speech == Speech::Message { "PRIVMSG" } else { "NOTICE" };
        // The model counts alike.
        let text = || format!("words-{}", self.model.message(0).map_or(0, |newest| newest + 1));
        let id = || message.and_then(|no| self.ids.get(&format!("words-{no}"))).map_or("none", |id| id);
        match command {
            Command::Connect | Command::Quit => String::new(),
            Command::Join(room, word) => format!("JOIN {} {}", ROOMS[*room], word.unwrap_or_default()),
            Command::Part(room) => format!("PART {}", ROOMS[*room]),
            Command::Say(room, speech) => format!("{} {} :{}", word(speech), ROOMS[*room], text()),
            Command::Tell(to, speech) => format!("{} {} :{}", word(speech), PEOPLE[*to], text()),
            Command::Kick(room, whom) => format!("KICK {} {}", ROOMS[*room], PEOPLE[*whom]),
            Command::Invite(room, whom) => format!("INVITE {} {}", PEOPLE[*whom], ROOMS[*room]),
            Command::Topic(room, text) => format!("TOPIC {} :{text}", ROOMS[*room]),
            Command::Redact(room, _) => format!("REDACT {} {}", ROOMS[*room], id()),
            Command::RedactWith(with, _) => format!("REDACT {} {}", PEOPLE[*with], id()),
            Command::Rename(room, to) => format!("RENAME {} {}", ROOMS[*room], ROOMS[*to]),
            Command::Mode(room, changes) => {
                let (mut letters, mut words) = (String::new(), String::new());
                for change in changes {
                    let (on, letter, word) = match change {
                        Change::Flag(letter, on) => (*on, *letter, None),
                        Change::Key(key) => (key.is_some(), 'k', Some(key.unwrap_or("*").to_owned())),
                        Change::Limit(limit) => (limit.is_some(), 'l', limit.map(|limit| limit.to_string())),
                        Change::Rank(letter, whom, on) => (*on, *letter, Some(PEOPLE[*whom].to_owned())),
                        Change::List { letter, mask, loud, on } => (*on, *letter, Some(mask.text(*loud))),
                    };
                    letters.extend([if on { '+' } else { '-' }, letter]);
                    words.extend(word.map(|word| format!(" {word}")));
                }
                format!("MODE {} {letters}{words}", ROOMS[*room])
            }
        }
    }

    /// A line as the model would tell it; `None` for those it does not know (numerics, the server's own notices).
    fn shape(&mut self, line: &Line) -> Option<String> {
        let command = TOLD.iter().find(|command| line.is(command))?;
        if !line.source.as_deref().is_some_and(|source| source.contains('!')) {
            return None;
        }
        let rest = match *command {
            "JOIN" | "PART" | "QUIT" => String::new(),
            "INVITE" => line.param(0).to_owned(),
            "MODE" => line.params[1..].join(" "),
            "REDACT" => self.texts.get(line.param(1)).cloned().unwrap_or_else(|| line.param(1).to_owned()),
            _ => line.param(1).to_owned(),
        };
        if let ("PRIVMSG" | "NOTICE", Some(id)) = (*command, line.tag("msgid")) {
            // One message has one id, whoever is told of it.
            let known = self.ids.insert(rest.clone(), id.to_owned());
            assert!(known.is_none_or(|known| known == id), "another id: {line:?}");
            self.texts.insert(id.to_owned(), rest.clone());
        }
        let target = match *command {
            "QUIT" => "",
            "INVITE" => line.param(1),
            _ => line.param(0),
        };
        Some(format!("{} {command} {target} {rest}", line.nick()))
    }

    fn rooms_of(&self, who: Person) -> Vec<usize> {
        (0..self.model.rooms.len()).filter(|no| self.model.rooms[*no].members.contains_key(&who)).collect()
    }

    /// Whoever comes is in all rooms of the account, and told what they are like.
    fn compare_greeting(&self, who: Person, greeting: &[Line]) -> Result<(), TestCaseError> {
        let rooms = self.rooms_of(who);
        let mut joined: Vec<&str> = greeting.iter().filter(|line| line.is("JOIN")).map(|line| line.param(0)).collect();
        let mut expected: Vec<&str> = rooms.iter().map(|no| self.model.rooms[*no].name).collect();
        joined.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(joined, expected, "the rooms of {}", PEOPLE[who]);
        rooms.into_iter().try_for_each(|no| self.compare_entrance(no, greeting))
    }

    fn compare_entrance(&self, no: usize, lines: &[Line]) -> Result<(), TestCaseError> {
        let room = &self.model.rooms[no];
        prop_assert_eq!(names(lines, room.name), self.model.names(no), "the names in {}", room.name);
        let topic = lines.iter().find(|line| line.is("332") && line.param(1) == room.name);
        prop_assert_eq!(topic.map_or("", |line| line.text()), room.topic, "the topic of {}", room.name);
        Ok(())
    }

    /// Waits until the log says of somebody whose last device went that they are gone.
    async fn gone(&mut self, who: Person, room: &str) {
        let watcher = &mut self.watcher;
        eventually("the QUIT in the log", async || {
            let answer = watcher.ask(&format!("NAMES {room}")).await;
            let names = names(&answer, room);
            names.iter().all(|name| name.trim_start_matches(['@', '+']) != PEOPLE[who]).then_some(())
        })
        .await;
    }

    async fn cut_power(&mut self) -> Result<(), TestCaseError> {
        self.server.kill9();
        self.devices = Default::default();
        self.model.crash();
        self.server.boot().await;
        self.watcher = watcher(&self.server).await;
        for no in 0..self.model.rooms.len() {
            let name = self.model.rooms[no].name;
            let answer = self.watcher.ask(&format!("NAMES {name}")).await;
            prop_assert_eq!(names(&answer, name), BTreeSet::new(), "ghosts in {}", name);
        }
        Ok(())
    }

    /// The history of each room, as its members are told it, is what the model has in its log.
    async fn compare_histories(&mut self) -> Result<(), TestCaseError> {
        for (who, nick) in PEOPLE.iter().enumerate() {
            for no in self.rooms_of(who) {
                let Some(mut device) = self.devices[who].pop() else { continue };
                let name = self.model.rooms[no].name;
                let lines = device.ask(&format!("CHATHISTORY LATEST {name} * 1000")).await;
                self.devices[who].push(device);
                // A room had other names before; a history has the one of today.
                let told = |shape: String| {
                    let mut words = shape.splitn(4, ' ');
                    let mut word = || words.next().unwrap_or_default().to_owned();
                    let (by, command, _target, rest) = (word(), word(), word(), word());
                    format!("{by} {command} {rest}")
                };
                let lines: Vec<String> = lines.iter().filter_map(|line| self.shape(line)).map(told).collect();
                let lines: Vec<String> = lines.into_iter().filter(|line| !line.starts_with("root ")).collect();
                let taken_back = |line: &String| line.ends_with("PRIVMSG ") || line.ends_with("NOTICE ");
                let log = self.model.log(no).into_iter().filter(|line| !taken_back(line));
                prop_assert_eq!(lines, log.collect::<Vec<_>>(), "the history of {}, told to {}", name, nick);
            }
        }
        Ok(())
    }
}

/// Logs in, and leaves all rooms.
async fn watcher(server: &Server) -> Client {
    let mut watcher = server.login_oper("root").await;
    watcher.ask("JOIN 0").await;
    watcher
}

/// What a list of names shows, without the watcher.
fn names(lines: &[Line], room: &str) -> BTreeSet<String> {
    let lists = lines.iter().filter(|line| line.is("353") && line.param(2) == room);
    let names = lists.flat_map(|line| line.text().split(' ').map(str::to_owned).collect::<Vec<_>>());
    names.filter(|name| !name.is_empty() && name != "root").collect()
}

fn shape_of(told: &rooms::Told) -> String {
    format!("{} {} {} {}", PEOPLE[told.by], told.command, told.target, told.rest)
}

/// Whether an error says this no.
fn is_about(line: &Line, no: No) -> bool {
    let (numeric, fail) = match no {
        No::UnknownRoom => ("403", "INVALID_TARGET"),
        No::NotIn => ("442", "INVALID_TARGET"),
        No::TargetNotIn => ("441", ""),
        No::AlreadyIn => ("443", ""),
        No::NotOperator => ("482", ""),
        No::Banned => ("474", ""),
        No::InviteOnly => ("473", ""),
        No::WrongKey => ("475", ""),
        No::Full => ("471", ""),
        No::CannotSpeak => ("404", ""),
        No::TooManyRooms => ("405", ""),
        No::UnknownMessage => ("", "UNKNOWN_MSGID"),
        No::NotYours => ("", "REDACT_FORBIDDEN"),
        No::NameInUse => ("", "CHANNEL_NAME_IN_USE"),
        No::SameName => ("", "CANNOT_RENAME"),
    };
    line.command == numeric || line.is("FAIL") && line.param(1) == fail
}

#[test]
fn a_random_program_obeys_the_model() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    rooms::try_all(PROGRAMS, any_programs(), |program| {
        runtime.block_on(async {
            let mut stage = Stage::new().await;
            for act in &program {
                stage.act(act).await?;
            }
            stage.compare_histories().await
        })
    });
}
