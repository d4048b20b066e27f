//! A random program of commands obeys the small model of rooms: what is refused, what stands in the log, and what
//! every room is like afterwards. Commands may be given at once, and then go into one commit.

use super::*;

#[path = "../../../tests/it/model/rooms.rs"]
mod rooms;

use rooms::{Change, Command, Model, No, Person, Speech as Spoken};

/// How many programs; a few seconds. More by `PROPTEST_CASES`.
const PROGRAMS: u32 = 100;

/// Commands that are given at once, or the end of the process.
#[derive(Clone, Debug)]
enum Round {
    Commands(Vec<(Person, Command)>),
    Crash,
}

fn any_programs() -> impl Strategy<Value = Vec<Round>> {
    let commands = prop::collection::vec(rooms::any_command(false, true), 1..5).prop_map(Round::Commands);
    let round = prop_oneof![40 => commands, 1 => Just(Round::Crash)];
    prop::collection::vec(round, 1..40).prop_map(|rounds| {
        // People come, and some of them meet.
        let all = (0..rooms::PEOPLE.len()).map(|who| (who, Command::Connect)).collect();
        let some = (0..3).map(|who| (who, Command::Join(1, None))).collect();
        let mut program = vec![Round::Commands(all), Round::Commands(some)];
        program.extend(rounds);
        program
    })
}

/// The model, and how its numbers are called in the log.
struct Judge {
    bench: Bench,
    model: Model,
    /// By the number of a message.
    messages: Vec<EventId>,
}

impl Judge {
    fn room(&self, no: Option<usize>) -> RoomId {
        let room = no.and_then(|no| self.bench.directory.by_key(self.model.rooms[no].name));
        room.map_or(NOWHERE, |room| room.id)
    }

    fn say(speech: Spoken) -> Speech {
        match speech {
            Spoken::Message => Speech::Privmsg,
            Spoken::Notice => Speech::Notice,
        }
    }

    /// As a session would ask for it.
    fn intent(&self, who: Person, command: &Command, at: Option<usize>, message: Option<usize>) -> Intent {
        let bench = &self.bench;
        let person = |who: Person| bench.people[who].clone();
        let target = message.map_or(EventId(0), |no| self.messages[no]);
        let wish = match command {
            Command::Connect => return bench.intent(&Step::Online(who)),
            Command::Quit => return bench.intent(&Step::Offline(who)),
            Command::Join(room, word) => return bench.intent(&Step::Enter(who, *room, *word)),
            Command::Rename(_, to) => {
                let Intent::Rename { actor, name, key, reason, .. } = bench.intent(&Step::Rename(who, 0, *to)) else {
                    unreachable!("as asked for")
                };
                return Intent::Rename { actor, room: self.room(at), name, key, reason };
            }
            Command::Redact(..) => {
                let place = Place::Room(self.room(at));
                let (actor, reason) = (bench.actor(who), "".into());
                return Intent::Redact { actor, place, target, window: None, reason };
            }
            Command::RedactWith(with, _) => {
                let (actor, reason) = (bench.actor(who), "".into());
                return Intent::Redact { actor, place: Place::With(person(*with)), target, window: None, reason };
            }
            Command::Tell(to, speech) => {
                return Intent::Direct {
                    actor: bench.actor(who),
                    to: person(*to),
                    speech: Self::say(*speech),
                    text: "between us".into(),
                    tags: "".into(),
                    cuts: Default::default(),
                };
            }
            Command::Say(_, speech) => Wish::Say {
                speech: Self::say(*speech),
                to: None,
                text: "some words".into(),
                tags: "".into(),
                cuts: Default::default(),
            },
            Command::Part(_) => Wish::Part { reason: "".into() },
            Command::Kick(_, whom) => Wish::Kick { target: person(*whom), reason: "".into() },
            Command::Invite(_, whom) => Wish::Invite { target: person(*whom) },
            Command::Topic(_, text) => Wish::Topic { text: (*text).into() },
            Command::Mode(_, changes) => {
                let change = |change: &Change| match change {
                    Change::Flag(letter, on) => ModeChange::Flag { letter: *letter, on: *on },
                    Change::Key(key) => ModeChange::Key(key.map(Arc::from)),
                    Change::Limit(limit) => ModeChange::Limit(*limit),
                    Change::Rank(letter, whom, on) => ModeChange::Rank { letter: *letter, who: person(*whom), on: *on },
                    Change::List { letter, mask, loud, on } => {
                        ModeChange::List { letter: *letter, mask: mask.text(*loud).into(), on: *on }
                    }
                };
                Wish::Mode { changes: changes.iter().map(change).collect() }
            }
        };
        Intent::InRoom { room: self.room(at), actor: bench.actor(who), wish }
    }

    fn round(&mut self, now: i64, commands: &[(Person, Command)]) -> Result<(), TestCaseError> {
        let mut given = Vec::new();
        // Who is away can only come. Several commands of one group may be about that, so it is known only one by one.
        let mut devices = self.model.devices;
        for (who, command) in commands {
            let command = if devices[*who] == 0 { &Command::Connect } else { command };
            match command {
                Command::Connect => devices[*who] += 1,
                Command::Quit => devices[*who] -= 1,
                _ => {}
            }
            let at = self.model.find(*who, command);
            let message = match command {
                Command::Redact(_, back) | Command::RedactWith(_, back) => self.model.message(*back),
                _ => None,
            };
            given.push((*who, command.clone(), at, message));
        }
        let intents =
            given.iter().map(|(who, command, at, message)| self.intent(*who, command, *at, *message)).collect();
        let outcomes = self.bench.commit(now, intents, None);
        for ((who, command, at, message), outcome) in given.into_iter().zip(outcomes) {
            let expected = self.model.perform(who, &command, at, message);
            match (expected.refused.first(), &outcome) {
                (None, Ok(receipt)) => {
                    let told = !expected.told.is_empty();
                    let event = receipt.event.is_some();
                    let alone = matches!(command, Command::Connect);
                    prop_assert!(alone || told == event, "{} does {:?}: {:?}", who, command, receipt);
                    if matches!(command, Command::Say(..) | Command::Tell(..)) {
                        self.messages.extend(receipt.event);
                    }
                }
                (Some(no), Err(refusal)) => prop_assert_eq!(*no, word(refusal), "{} does {:?}", who, command),
                _ => prop_assert!(false, "{} does {:?}: {:?}, not {:?}", who, command, outcome, expected),
            }
        }
        self.compare_rooms()
    }

    /// Every room is as the model has it.
    fn compare_rooms(&self) -> Result<(), TestCaseError> {
        for no in 0..self.model.rooms.len() {
            let room = &self.model.rooms[no];
            let shown = self.bench.directory.by_key(room.name).expect("a room of this name");
            let state = shown.snapshot().state;
            let who = |id: AccountId| self.bench.people.iter().position(|person| person.id == id).expect("somebody");
            let members = state.members.iter().map(|(id, m)| (who(*id), rooms::Ranks { op: m.op, voice: m.voice }));
            prop_assert_eq!(&members.collect::<BTreeMap<_, _>>(), &room.members, "the members of {}", room.name);
            let here = state.present().map(|(id, member)| {
                let signs = [(member.op, "@"), (member.voice, "+")].map(|(on, sign)| if on { sign } else { "" });
                signs.concat() + rooms::PEOPLE[who(id)]
            });
            prop_assert_eq!(here.collect::<BTreeSet<_>>(), self.model.names(no), "who is in {}", room.name);
            let topic = state.topic.as_ref().map_or("", |topic| &topic.text);
            prop_assert_eq!(topic, room.topic);
            let mut modes = state.modes.clone();
            for letter in ['i', 'm', 'n', 't'] {
                prop_assert_eq!(modes.flag(letter).copied(), Some(room.flags.contains(&letter)), "+{}", letter);
            }
            prop_assert_eq!((state.modes.key.as_deref(), state.modes.limit), (room.key, room.limit));
            let invited: BTreeSet<Person> = state.invited.iter().map(|id| who(*id)).collect();
            prop_assert_eq!(&invited, &room.invited, "who is invited to {}", room.name);
            let masks: BTreeSet<(char, String)> =
                state.masks.iter().map(|(letter, masked)| (letter, masked.mask.to_string())).collect();
            let expected = room.lists.iter().map(|((letter, _), text)| (*letter, text.clone())).collect();
            prop_assert_eq!(masks, expected, "the lists of {}", room.name);
        }
        Ok(())
    }

    /// Every log tells what the model tells, from the store.
    fn compare_logs(&self) -> Result<(), TestCaseError> {
        let reader = self.bench.reader();
        for no in 0..self.model.rooms.len() {
            let room = self.bench.directory.by_key(self.model.rooms[no].name).expect("a room of this name");
            let stored = reader.read(room.id, 1, usize::MAX).expect("a log");
            let lines: Vec<String> = stored.iter().filter_map(|(_, event)| self.line(event)).collect();
            prop_assert_eq!(lines, self.model.log(no), "the log of {}", self.model.rooms[no].name);
        }
        Ok(())
    }

    fn line(&self, event: &Event) -> Option<String> {
        let number = |id: EventId| self.messages.iter().position(|message| *message == id).expect("a message");
        let rest = match &event.body {
            Body::Said { text, .. } if text.is_empty() => String::new(),
            Body::Said { .. } => format!("words-{}", number(event.id)),
            Body::Redacted { target, .. } => format!("words-{}", number(*target)),
            Body::Kick { target, .. } | Body::Invite { target } => target.nick.to_string(),
            Body::Topic { text } => text.to_string(),
            Body::Mode { changes } => changes.to_string(),
            Body::Renamed { new, .. } => new.to_string(),
            Body::Join { .. } | Body::Part { .. } | Body::Quit { .. } => String::new(),
            // The server's own notes.
            Body::Created { .. } | Body::Reset => return None,
        };
        let command = match event.kind().word() {
            "message" => "PRIVMSG".to_owned(),
            "redacted" => "REDACT".to_owned(),
            "renamed" => "RENAME".to_owned(),
            other => other.to_uppercase(),
        };
        Some(format!("{} {command} {rest}", event.actor.as_ref().map_or("nobody", |who| &who.nick)))
    }
}

fn word(refusal: &Refusal) -> No {
    match refusal {
        Refusal::NoSuchRoom => No::UnknownRoom,
        Refusal::NotInRoom => No::NotIn,
        Refusal::TargetNotInRoom { .. } => No::TargetNotIn,
        Refusal::AlreadyInRoom { .. } => No::AlreadyIn,
        Refusal::NotOperator => No::NotOperator,
        Refusal::Banned => No::Banned,
        Refusal::InviteOnly => No::InviteOnly,
        Refusal::WrongKey => No::WrongKey,
        Refusal::RoomFull => No::Full,
        Refusal::MembersOnly | Refusal::Moderated | Refusal::Muted => No::CannotSpeak,
        Refusal::TooManyRooms => No::TooManyRooms,
        Refusal::NoSuchMessage => No::UnknownMessage,
        Refusal::NotYourMessage => No::NotYours,
        Refusal::NameInUse => No::NameInUse,
        Refusal::SameName => No::SameName,
        other => panic!("nobody is refused this here: {other:?}"),
    }
}

#[test]
fn a_random_program_obeys_the_model() {
    assert_eq!((PEOPLE, ROOMS), (rooms::PEOPLE, rooms::ROOMS));
    rooms::try_all(PROGRAMS, any_programs(), |program| {
        let mut judge = Judge { bench: Bench::new(), model: Model::default(), messages: Vec::new() };
        let mut now = 1_000;
        for round in &program {
            now += 10;
            match round {
                Round::Commands(commands) => judge.round(now, commands)?,
                Round::Crash => {
                    judge.bench.act(&Act::Crash);
                    judge.model.crash();
                    judge.compare_rooms()?;
                }
            }
        }
        judge.compare_logs()?;
        judge.bench.check();
        judge.bench.act(&Act::Crash);
        judge.model.crash();
        judge.compare_rooms()?;
        judge.compare_logs()
    });
}
