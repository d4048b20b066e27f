//! What may happen in a room, refusal by refusal, and the laws of the fold.

use std::sync::Arc;

use proptest::prelude::*;

use super::decide::{Actor, Refusal, Wish, decide};
use super::masks::{LIST_MAX, Masked};
use super::modes::{ModeChange, Modes, fold_modes, print_changes};
use super::state::{Member, RoomState};
use crate::event::{AccountId, Body, Event, EventId, Millis, RoomId, RoomKind, Speech, Who};

const HOST: &str = "chat.example";
const MASKS: [&str; 6] = ["anna!*@*", "ANNA!*@*", "*!bela@*", "~a:c*", "*!*@chat.*", "x!*@*"];
const BY: &str = "anna";
const AT: Millis = Millis(990);
const NICKS: [&str; 5] = ["nobody", "anna", "bela", "carl", "dora"];

fn who(id: i64) -> Who {
    Who { id: AccountId(id), nick: NICKS[id as usize].into() }
}

fn actor(id: i64) -> Actor {
    Actor { who: who(id), admin: false }
}

fn admin(id: i64) -> Actor {
    Actor { who: who(id), admin: true }
}

fn event(id: i64, actor: Option<Who>, body: Body) -> Event {
    Event { id: EventId(id), time: Millis(id * 10), actor, body }
}

fn joins(realname: &str) -> Body {
    Body::Join { realname: realname.into() }
}

/// A channel of anna, its founder, and bela; carl and dora are outside.
fn channel(modes: &str) -> RoomState {
    let mut room = RoomState::empty(RoomId(1), RoomKind::Channel, "#room".into());
    room.apply(1, &event(1, Some(who(1)), Body::Created { modes: modes.into() }));
    room.apply(2, &event(2, Some(who(1)), joins("Anna")));
    room.apply(3, &event(3, Some(who(2)), joins("Bela")));
    room
}

fn then(mut room: RoomState, actor: Option<Who>, body: Body) -> RoomState {
    room.apply(9, &event(9, actor, body));
    room
}

fn join(key: Option<&str>) -> Wish {
    Wish::Join { realname: "X".into(), key: key.map(str::to_owned), forced: false }
}

fn say() -> Wish {
    Wish::Say { speech: Speech::Privmsg, to: None, text: "hello".into(), tags: "".into(), cuts: Default::default() }
}

fn redact(author: Option<i64>, late: Option<u64>) -> Wish {
    Wish::Redact { target: EventId(7), author: author.map(who), late, with: None, reason: "oops".into() }
}

fn rename(name: &str) -> Wish {
    Wish::Rename { name: name.into(), reason: "better".into() }
}

fn topic(text: &str) -> Wish {
    Wish::Topic { text: text.into() }
}

fn kick(target: i64) -> Wish {
    Wish::Kick { target: who(target), reason: "".into() }
}

fn part() -> Wish {
    Wish::Part { reason: "".into() }
}

fn invite(target: i64) -> Wish {
    Wish::Invite { target: who(target) }
}

fn flag(letter: char, on: bool) -> ModeChange {
    ModeChange::Flag { letter, on }
}

fn mask(letter: char, mask: &str, on: bool) -> ModeChange {
    ModeChange::List { letter, mask: mask.into(), on }
}

fn rank(letter: char, target: i64, on: bool) -> ModeChange {
    ModeChange::Rank { letter, who: who(target), on }
}

fn mode(changes: &[ModeChange]) -> Wish {
    Wish::Mode { changes: changes.to_vec() }
}

/// What is decided, as a word: the refusal, or the kinds of the events.
#[track_caller]
fn expect(room: &RoomState, actor: Actor, wish: Wish, expected: Result<usize, Refusal>) {
    assert_eq!(decide(room, HOST, &actor, &wish).map(|bodies| bodies.len()), expected, "{wish:?} in {room:?}");
}

fn not_there(id: i64) -> Refusal {
    Refusal::TargetNotInRoom { nick: who(id).nick }
}

#[test]
fn who_comes_in() {
    let open = channel("+nt");
    expect(&open, actor(3), join(None), Ok(1));
    expect(&open, actor(2), join(None), Ok(0));
    let closed = channel("+i");
    expect(&closed, actor(3), join(None), Err(Refusal::InviteOnly));
    expect(&closed, admin(3), join(None), Ok(1));
    expect(&closed, actor(3), Wish::Join { realname: "X".into(), key: None, forced: true }, Ok(1));
    let invited = then(closed, Some(who(1)), Body::Invite { target: who(3) });
    expect(&invited, actor(3), join(None), Ok(1));
    expect(&invited, actor(4), join(None), Err(Refusal::InviteOnly));
    let used = then(invited, Some(who(3)), joins("Carl"));
    let left = then(used, Some(who(3)), Body::Part { reason: "".into() });
    expect(&left, actor(3), join(None), Err(Refusal::InviteOnly));

    let keyed = channel("+k word");
    expect(&keyed, actor(3), join(None), Err(Refusal::WrongKey));
    expect(&keyed, actor(3), join(Some("Word")), Err(Refusal::WrongKey));
    expect(&keyed, actor(3), join(Some("word")), Ok(1));
    let full = channel("+l 2");
    expect(&full, actor(3), join(None), Err(Refusal::RoomFull));
    expect(&channel("+l 3"), actor(3), join(None), Ok(1));
    let invited = then(channel("+kl word 2"), Some(who(1)), Body::Invite { target: who(3) });
    expect(&invited, actor(3), join(None), Ok(1));
}

/// Membership outlives presence: who comes back online is not asked for anything.
#[test]
fn who_comes_back() {
    let away = then(channel("+ikl word 1"), Some(who(2)), Body::Quit { reason: "".into() });
    expect(&away, actor(2), join(None), Ok(1));
    expect(&channel("+ikl word 1"), actor(2), join(None), Ok(0));
}

#[test]
fn who_speaks() {
    let open = channel("+t");
    expect(&open, actor(3), say(), Ok(1));
    let inside = channel("+nt");
    expect(&inside, actor(2), say(), Ok(1));
    expect(&inside, actor(3), say(), Err(Refusal::MembersOnly));
    expect(&inside, admin(3), say(), Ok(1));
    let moderated = channel("+m");
    expect(&moderated, actor(1), say(), Ok(1));
    expect(&moderated, actor(2), say(), Err(Refusal::Moderated));
    expect(&moderated, actor(3), say(), Err(Refusal::Moderated));
    expect(&channel("+mn"), actor(3), say(), Err(Refusal::MembersOnly));
    let voiced = then(moderated, Some(who(1)), Body::Mode { changes: "+v bela".into() });
    expect(&voiced, actor(2), say(), Ok(1));
    let absent = then(channel("+n"), Some(who(2)), Body::Quit { reason: "".into() });
    expect(&absent, actor(2), say(), Err(Refusal::MembersOnly));
    let direct = RoomState::empty(RoomId(2), RoomKind::Direct, "anna,bela".into());
    expect(&direct, actor(1), say(), Ok(1));
}

#[test]
fn who_rules() {
    let room = channel("+nt");
    for wish in [kick(2), mode(&[flag('m', true)])] {
        expect(&room, actor(1), wish.clone(), Ok(1));
        expect(&room, actor(2), wish.clone(), Err(Refusal::NotOperator));
        expect(&room, actor(3), wish.clone(), Err(Refusal::NotInRoom));
        expect(&room, admin(3), wish.clone(), Ok(1));
        let absent = then(room.clone(), Some(who(1)), Body::Quit { reason: "".into() });
        expect(&absent, actor(1), wish, Err(Refusal::NotInRoom));
    }
    expect(&room, actor(1), kick(3), Err(not_there(3)));
    expect(&room, actor(1), mode(&[flag('m', true), rank('v', 4, true)]), Err(not_there(4)));
    let absent = then(room.clone(), Some(who(2)), Body::Quit { reason: "".into() });
    expect(&absent, actor(1), kick(2), Ok(1));
    expect(&absent, actor(1), mode(&[rank('o', 2, true)]), Ok(1));
}

#[test]
fn who_leaves() {
    let room = channel("+nt");
    expect(&room, actor(2), part(), Ok(1));
    expect(&room, actor(3), part(), Err(Refusal::NotInRoom));
    expect(&room, admin(3), part(), Err(Refusal::NotInRoom));
    let absent = then(room, Some(who(2)), Body::Quit { reason: "".into() });
    expect(&absent, actor(2), part(), Ok(1));
}

#[test]
fn who_names_the_topic() {
    let locked = channel("+nt");
    expect(&locked, actor(1), topic("x"), Ok(1));
    expect(&locked, actor(2), topic("x"), Err(Refusal::NotOperator));
    expect(&locked, actor(3), topic("x"), Err(Refusal::NotInRoom));
    expect(&locked, admin(3), topic("x"), Ok(1));
    expect(&channel("+n"), actor(2), topic("x"), Ok(1));
    expect(&locked, actor(1), topic(""), Ok(0));
    let named = then(locked, Some(who(1)), Body::Topic { text: "x".into() });
    expect(&named, actor(1), topic("x"), Ok(0));
    expect(&named, actor(1), topic(""), Ok(1));
}

#[test]
fn who_invites() {
    let open = channel("+nt");
    expect(&open, actor(2), invite(3), Ok(1));
    expect(&open, actor(3), invite(4), Err(Refusal::NotInRoom));
    expect(&open, actor(1), invite(2), Err(Refusal::AlreadyInRoom { nick: "bela".into() }));
    expect(&open, admin(3), invite(4), Ok(1));
    let closed = channel("+i");
    expect(&closed, actor(1), invite(3), Ok(1));
    expect(&closed, actor(2), invite(3), Err(Refusal::NotOperator));
}

#[test]
fn only_what_changes_something_is_an_event() {
    let room = channel("+nt");
    let decided = |changes: &[ModeChange]| decide(&room, HOST, &actor(1), &mode(changes)).unwrap();
    let event = |text: &str| vec![Body::Mode { changes: text.into() }];
    assert_eq!(decided(&[flag('n', true), flag('t', true), rank('o', 1, true)]), []);
    assert_eq!(decided(&[ModeChange::Key(None), ModeChange::Limit(None), rank('v', 2, false)]), []);
    let changes =
        [flag('n', true), flag('m', true), flag('t', false), rank('o', 2, true), ModeChange::Key(Some("w".into()))];
    assert_eq!(decided(&changes), event("+m-t+ok bela w"));
    assert_eq!(decided(&[flag('m', true), flag('m', true), flag('m', false)]), event("+m-m"));
}

#[test]
fn who_is_banned_stays_out() {
    let set = |changes: &str| then(channel("+nt"), Some(who(1)), Body::Mode { changes: changes.into() });
    for banned in ["+b carl!*@*", "+b CARL!*@*", "+b *!c?rl@*", "+b *!*@chat.example", "+b ~a:c*"] {
        expect(&set(banned), actor(3), join(None), Err(Refusal::Banned));
        expect(&set(banned), admin(3), join(None), Ok(1));
        let forced = Wish::Join { realname: "X".into(), key: None, forced: true };
        expect(&set(banned), actor(3), forced, Ok(1));
    }
    for other in ["+b bela!*@*", "+b *!*@elsewhere", "+b ~a:carla", "+q carl!*@*", "+be *!*@* ~a:carl"] {
        expect(&set(other), actor(3), join(None), Ok(1));
    }
    let invited = then(set("+b carl!*@*"), Some(who(1)), Body::Invite { target: who(3) });
    expect(&invited, actor(3), join(None), Ok(1));
    let used = then(invited, Some(who(3)), joins("Carl"));
    let left = then(used, Some(who(3)), Body::Part { reason: "".into() });
    expect(&left, actor(3), join(None), Err(Refusal::Banned));
    // A member comes back online as before.
    let away = then(set("+b bela!*@*"), Some(who(2)), Body::Quit { reason: "".into() });
    expect(&away, actor(2), join(None), Ok(1));
}

#[test]
fn the_founder_is_never_shut_out() {
    let shut = then(channel("+iklnt word 1"), Some(who(1)), Body::Mode { changes: "+b *!*@*".into() });
    let left = then(shut, Some(who(1)), Body::Part { reason: "".into() });
    expect(&left, actor(1), join(None), Ok(1));
}

#[test]
fn who_is_excepted_needs_no_invitation() {
    let set = |changes: &str| then(channel("+i"), Some(who(1)), Body::Mode { changes: changes.into() });
    expect(&set("+I ~a:carl"), actor(3), join(None), Ok(1));
    expect(&set("+I dora!*@*"), actor(3), join(None), Err(Refusal::InviteOnly));
    expect(&set("+Ib carl!*@* *!*@*"), actor(3), join(None), Err(Refusal::Banned));
    expect(&set("+Ik carl!*@* word"), actor(3), join(None), Err(Refusal::WrongKey));
}

#[test]
fn who_is_muted_listens() {
    let set = |changes: &str| then(channel("+n"), Some(who(1)), Body::Mode { changes: changes.into() });
    for muted in ["+q bela!*@*", "+b ~a:bela"] {
        expect(&set(muted), actor(2), say(), Err(Refusal::Muted));
        expect(&set(muted), actor(2), topic("x"), Err(Refusal::NotOperator));
        expect(&set(muted), admin(2), say(), Ok(1));
        expect(&set(muted), actor(2), part(), Ok(1));
        let voiced = then(set(muted), Some(who(1)), Body::Mode { changes: "+v bela".into() });
        expect(&voiced, actor(2), say(), Ok(1));
        let excepted = then(set(muted), Some(who(1)), Body::Mode { changes: "+e bela!*@*".into() });
        expect(&excepted, actor(2), say(), Ok(1));
    }
    expect(&set("+q *!*@*"), actor(1), say(), Ok(1));
    let open = then(channel("+t"), Some(who(1)), Body::Mode { changes: "+q carl!*@*".into() });
    expect(&open, actor(3), say(), Err(Refusal::Muted));
    expect(&open, actor(4), say(), Ok(1));
}

#[test]
fn only_an_operator_opens_a_shut_door() {
    for shut in ["+i", "+k word"] {
        expect(&channel(shut), actor(2), invite(3), Err(Refusal::NotOperator));
        expect(&channel(shut), actor(1), invite(3), Ok(1));
    }
    let banned = then(channel("+n"), Some(who(1)), Body::Mode { changes: "+b carl!*@*".into() });
    expect(&banned, actor(2), invite(3), Err(Refusal::NotOperator));
    expect(&banned, actor(2), invite(4), Ok(1));
    expect(&channel("+l 2"), actor(2), invite(3), Ok(1));
}

#[test]
fn a_mask_is_set_once_and_taken_away_however_spelled() {
    let room = then(channel("+nt"), Some(who(1)), Body::Mode { changes: "+b Carl!*@*".into() });
    let decided = |changes: &[ModeChange]| decide(&room, HOST, &actor(1), &mode(changes)).unwrap();
    assert_eq!(decided(&[mask('b', "carl!*@*", true), mask('q', "carl!*@*", false)]), []);
    let off = Body::Mode { changes: "-b Carl!*@*".into() };
    assert_eq!(decided(&[mask('b', "cARL!*@*", false)]), std::slice::from_ref(&off));
    assert!(then(room, Some(who(1)), off).masks.is_empty());
}

#[test]
fn lists_are_bounded() {
    let fill = |room: RoomState, n: usize| {
        let changes = format!("+{} m{n}!*@*", ['b', 'e', 'I', 'q'][n % 4]);
        then(room, Some(who(1)), Body::Mode { changes: changes.into() })
    };
    let room = (0..LIST_MAX).fold(channel("+n"), fill);
    assert_eq!(room.masks.len(), LIST_MAX);
    expect(&room, actor(1), mode(&[mask('q', "new!*@*", true)]), Err(Refusal::ListFull { letter: 'q' }));
    expect(&room, actor(1), mode(&[mask('b', "m0!*@*", true)]), Ok(0));
    expect(&room, actor(1), mode(&[mask('b', "m0!*@*", false), mask('q', "new!*@*", true)]), Ok(1));
}

#[test]
fn the_founder_stays_operator() {
    let room = then(channel("+nt"), Some(who(1)), Body::Part { reason: "".into() });
    assert!(room.member(AccountId(1)).is_none());
    let room = then(room, Some(who(1)), joins("Anna"));
    assert!(room.member(AccountId(1)).unwrap().op);
    let room = then(room, Some(who(2)), Body::Quit { reason: "".into() });
    let room = then(room, Some(who(2)), joins("Bela"));
    assert!(!room.member(AccountId(2)).unwrap().op);
}

#[test]
fn a_direct_room_is_made_by_speaking() {
    let mut room = RoomState::empty(RoomId(2), RoomKind::Direct, "anna,bela".into());
    let said = |to| Body::Said {
        speech: Speech::Privmsg,
        to: Some(who(to)),
        text: "hello".into(),
        tags: "".into(),
        cuts: Default::default(),
    };
    room.apply(1, &event(1, Some(who(1)), said(2)));
    let members: Vec<i64> = room.members.keys().map(|id| id.0).collect();
    assert_eq!(members, [1, 2]);
    assert_eq!(room.present().count(), 0);
    let after_one = room.clone();
    room.apply(2, &event(2, Some(who(2)), said(1)));
    assert_eq!(room, after_one);
}

fn any_change() -> impl Strategy<Value = ModeChange> {
    prop_oneof![
        (prop::sample::select(&['i', 'm', 'n', 's', 't'][..]), any::<bool>()).prop_map(|(l, on)| flag(l, on)),
        prop::option::of("[a-z0-9é*#+-]{1,8}").prop_map(|key| ModeChange::Key(key.map(Arc::from))),
        prop::option::of(1u32..).prop_map(ModeChange::Limit),
        (prop::sample::select(&['o', 'v'][..]), 1..5i64, any::<bool>()).prop_map(|(l, who, on)| rank(l, who, on)),
        (prop::sample::select(&['b', 'e', 'I', 'q'][..]), prop::sample::select(&MASKS[..]), any::<bool>())
            .prop_map(|(l, text, on)| mask(l, text, on)),
    ]
}

fn any_body() -> impl Strategy<Value = Body> {
    let text = || "[a-z]{0,3}".prop_map(Arc::<str>::from);
    let said = (text(), prop::option::of(1..5i64)).prop_map(|(text, to)| Body::Said {
        speech: Speech::Privmsg,
        to: to.map(who),
        text,
        tags: "".into(),
        cuts: Default::default(),
    });
    prop_oneof![
        said,
        text().prop_map(|realname| Body::Join { realname }),
        text().prop_map(|reason| Body::Part { reason }),
        text().prop_map(|reason| Body::Quit { reason }),
        (1..5i64, text()).prop_map(|(target, reason)| Body::Kick { target: who(target), reason }),
        text().prop_map(|text| Body::Topic { text }),
        prop::collection::vec(any_change(), 1..4).prop_map(|c| Body::Mode { changes: print_changes(&c).into() }),
        (1..5i64).prop_map(|target| Body::Invite { target: who(target) }),
        text().prop_map(|reason| Body::Redacted { target: EventId(1), of: None, reason }),
        text().prop_map(|new| Body::Renamed { old: "#room".into(), new, reason: "".into() }),
        Just(Body::Reset),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    (1..5i64, any_body()).prop_map(|(id, body)| event(9, Some(who(id)), body))
}

fn any_room() -> impl Strategy<Value = RoomState> {
    prop::collection::vec(any_event(), 0..12).prop_map(|events| {
        let mut room = channel("+nt");
        for (at, event) in events.iter().enumerate() {
            room.apply(4 + at as u64, event);
        }
        room
    })
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let text = || "[a-z]{0,3}".prop_map(Arc::<str>::from);
    prop_oneof![
        (prop::option::of("[a-z]{1,2}"), any::<bool>()).prop_map(|(key, forced)| Wish::Join {
            realname: "X".into(),
            key,
            forced
        }),
        text().prop_map(|reason| Wish::Part { reason }),
        Just(say()),
        (1..5i64).prop_map(kick),
        text().prop_map(|text| Wish::Topic { text }),
        prop::collection::vec(any_change(), 1..5).prop_map(|changes| Wish::Mode { changes }),
        (1..5i64).prop_map(invite),
        (prop::option::of(1..5i64), prop::option::of(60..61u64)).prop_map(|(author, late)| redact(author, late)),
        prop::sample::select(&["#room", "#other"][..]).prop_map(rename),
    ]
}

/// What a change does, said without the text between.
fn change_directly(room: &mut RoomState, change: &ModeChange) {
    match change {
        ModeChange::Flag { letter, on } => *room.modes.flag(*letter).unwrap() = *on,
        ModeChange::Key(key) => room.modes.key = key.clone(),
        ModeChange::Limit(limit) => room.modes.limit = *limit,
        ModeChange::Rank { letter, who, on } => {
            if let Some(member) = room.members.get_mut(&who.id) {
                *(if *letter == 'o' { &mut member.op } else { &mut member.voice }) = *on;
            }
        }
        ModeChange::List { letter, mask, on: true } => {
            room.masks.set(*letter, Masked { mask: mask.clone(), by: BY.into(), at: AT });
        }
        ModeChange::List { letter, mask, on: false } => room.masks.unset(*letter, mask),
    }
}

#[test]
fn people_take_back_their_own_and_operators_all() {
    let room = channel("+nt");
    let taken = |of: i64| Ok(vec![Body::Redacted { target: EventId(7), of: Some(who(of)), reason: "oops".into() }]);
    assert_eq!(decide(&room, HOST, &actor(2), &redact(Some(2), None)), taken(2));
    assert_eq!(decide(&room, HOST, &actor(1), &redact(Some(2), None)), taken(2));
    assert_eq!(decide(&room, HOST, &admin(4), &redact(Some(2), None)), taken(2));
    assert_eq!(decide(&room, HOST, &actor(2), &redact(Some(1), None)), Err(Refusal::NotYourMessage));
    assert_eq!(decide(&room, HOST, &actor(1), &redact(None, None)), Err(Refusal::NoSuchMessage));
    // Too late for bela, not for the operator.
    assert_eq!(decide(&room, HOST, &actor(2), &redact(Some(2), Some(60))), Err(Refusal::TooLate { seconds: 60 }));
    assert_eq!(decide(&room, HOST, &actor(1), &redact(Some(2), Some(60))), taken(2));
    // Who is outside does not even learn that there is no such message.
    for wish in [redact(Some(3), None), redact(None, None)] {
        assert_eq!(decide(&room, HOST, &actor(3), &wish), Err(Refusal::NotInRoom));
    }
}

#[test]
fn between_two_everybody_takes_back_their_own() {
    let mut room = RoomState::empty(RoomId(1), RoomKind::Direct, "anna,bela".into());
    let said = Body::Said {
        speech: Speech::Privmsg,
        to: Some(who(2)),
        text: "hello".into(),
        tags: "".into(),
        cuts: Default::default(),
    };
    room.apply(1, &event(1, Some(who(1)), said));
    let wish = |author: i64| Wish::Redact {
        target: EventId(1),
        author: Some(who(author)),
        late: None,
        with: Some(who(2)),
        reason: "".into(),
    };
    let taken = Body::Redacted { target: EventId(1), of: Some(who(2)), reason: "".into() };
    assert_eq!(decide(&room, HOST, &actor(1), &wish(1)), Ok(vec![taken]));
    assert_eq!(decide(&room, HOST, &actor(2), &wish(1)), Err(Refusal::NotYourMessage));
    // An administrator's powers end where two speak with each other.
    assert_eq!(decide(&room, HOST, &admin(2), &wish(1)), Err(Refusal::NotYourMessage));
    assert_eq!(decide(&room, HOST, &admin(3), &wish(1)), Err(Refusal::NotInRoom));
}

#[test]
fn operators_rename_their_room() {
    let room = channel("+nt");
    let renamed = Body::Renamed { old: "#room".into(), new: "#hall".into(), reason: "better".into() };
    assert_eq!(decide(&room, HOST, &actor(1), &rename("#hall")), Ok(vec![renamed.clone()]));
    assert_eq!(decide(&room, HOST, &actor(2), &rename("#hall")), Err(Refusal::NotOperator));
    assert_eq!(decide(&room, HOST, &actor(3), &rename("#hall")), Err(Refusal::NotInRoom));
    assert_eq!(decide(&room, HOST, &actor(1), &rename("#room")), Err(Refusal::SameName));
    assert_eq!(&*then(room, Some(who(1)), renamed).name, "#hall");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn printed_changes_do_what_the_changes_do(room in any_room(), changes in prop::collection::vec(any_change(), 0..8)) {
        let (mut printed, mut direct) = (room.clone(), room);
        fold_modes(&mut printed, &print_changes(&changes), &BY.into(), AT);
        changes.iter().for_each(|change| change_directly(&mut direct, change));
        prop_assert_eq!(printed, direct);
    }

    #[test]
    fn printed_modes_are_the_modes(room in any_room()) {
        let mut read = RoomState::empty(room.id, room.kind, room.name.clone());
        fold_modes(&mut read, &room.modes.print(true), &BY.into(), AT);
        prop_assert_eq!(&read.modes, &room.modes);
        let veiled = Modes { key: room.modes.key.as_ref().map(|_| "*".into()), ..room.modes.clone() };
        prop_assert_eq!(room.modes.print(false), veiled.print(true));
    }

    #[test]
    fn what_does_not_concern_a_room_does_not_change_it(room in any_room(), event in any_event()) {
        let mut after = room.clone();
        after.apply(99, &event);
        prop_assert!(RoomState::concerns(&event, room.kind) || after == room);
    }

    #[test]
    fn told_twice_is_told_once(room in any_room(), event in any_event()) {
        let mut once = room;
        once.apply(98, &event);
        let mut twice = once.clone();
        twice.apply(99, &event);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn an_event_touches_nobody_but_whom_it_names(room in any_room(), event in any_event()) {
        let mut after = room.clone();
        after.apply(99, &event);
        let named = |id: AccountId| match &event.body {
            Body::Kick { target, .. } => target.id == id,
            Body::Mode { changes } => changes.split(' ').any(|word| word == NICKS[id.0 as usize]),
            Body::Reset => true,
            _ => event.actor.as_ref().is_some_and(|who| who.id == id),
        };
        for id in (1..5).map(AccountId) {
            prop_assert!(named(id) || after.member(id) == room.member(id), "{} by {:?}", id.0, event);
        }
    }

    #[test]
    fn the_invited_are_no_members(room in any_room()) {
        prop_assert!(room.invited.iter().all(|id| room.member(*id).is_none()));
    }

    /// Whoever is neither a member nor an administrator can come in, and speak where that is open to all; no more.
    #[test]
    fn strangers_rule_nothing(room in any_room(), id in 1..5i64, wish in any_wish()) {
        prop_assume!(room.member(AccountId(id)).is_none());
        if decide(&room, HOST, &actor(id), &wish).is_ok() {
            let open = !room.modes.members_only && !room.modes.moderated;
            let harmless = matches!(wish, Wish::Join { .. }) || (matches!(wish, Wish::Say { .. }) && open);
            prop_assert!(harmless, "{:?}", wish);
        }
    }

    /// What is decided changes the state (speaking apart), and an administrator is never told to become operator.
    #[test]
    fn what_is_decided_happens(room in any_room(), id in 1..5i64, is_admin in any::<bool>(), wish in any_wish()) {
        let actor = Actor { who: who(id), admin: is_admin };
        let decided = decide(&room, HOST, &actor, &wish);
        if is_admin {
            prop_assert_ne!(&decided, &Err(Refusal::NotOperator));
            prop_assert_ne!(&decided, &Err(Refusal::MembersOnly));
        }
        let undone = |changes: &[ModeChange]| {
            let mut after = room.clone();
            changes.iter().for_each(|change| change_directly(&mut after, change));
            after == room
        };
        for body in decided.unwrap_or_default() {
            let mut after = room.clone();
            // As `change_directly` does it: by anna, at her time.
            let actor = if matches!(wish, Wish::Mode { .. }) { who(1) } else { who(id) };
            after.apply(99, &event(99, Some(actor), body));
            match &wish {
                Wish::Say { .. } | Wish::Redact { .. } => prop_assert_eq!(&after, &room),
                Wish::Invite { target } if room.members.contains_key(&target.id) => prop_assert_eq!(&after, &room),
                Wish::Invite { target } => prop_assert!(after.invited.contains(&target.id)),
                Wish::Mode { changes } => prop_assert_eq!(after == room, undone(changes)),
                _ => prop_assert_ne!(&after, &room),
            }
        }
    }

    #[test]
    fn names_are_found_as_spelt(room in any_room()) {
        for (id, member) in &room.members {
            let found: Option<(AccountId, &Member)> = room.member_by_nick(&member.nick);
            prop_assert_eq!(found, Some((*id, member)));
        }
    }
}
