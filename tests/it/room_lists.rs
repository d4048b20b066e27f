//! The lists of a room: bans, exceptions, who needs no invitation, mutes; what they do, and how they are kept.
//! <https://modern.ircdocs.horse/#channel-modes>, <https://ircv3.net/specs/extensions/account-extban>.

use crate::harness::{Client, Line, Server};
use crate::rooms::{dev, refused};

/// The changes this line of the operator makes, as everybody is told of them.
async fn sets(alice: &mut Client, changes: &str, told: &str) {
    alice.sync().await;
    let answer = alice.ask(&format!("MODE #dev {changes}")).await;
    assert!(answer.iter().any(|line| line.matches(&format!(":alice MODE #dev {told}"))), "{changes}: {answer:?}");
    assert_eq!(answer.len(), 1, "{answer:?}");
}

/// What the list of this letter holds: masks, and by whom.
async fn list(client: &mut Client, letter: char) -> Vec<(String, String)> {
    let (entry, end, at) = match letter {
        'b' => ("367", "368", 2),
        'e' => ("348", "349", 2),
        'I' => ("346", "347", 2),
        _ => ("728", "729", 3),
    };
    client.sync().await;
    let answer = client.ask(&format!("MODE #dev {letter}")).await;
    let last = answer.last().expect("an end");
    assert!(last.is(end) && last.param(1) == "#dev" && last.params.len() == at + 1, "{answer:?}");
    let entries = answer[..answer.len() - 1].iter();
    entries
        .map(|line| {
            assert!(line.is(entry) && line.param(1) == "#dev" && line.params.len() == at + 3, "{line:?}");
            assert!(letter != 'q' || line.param(2) == "q", "{line:?}");
            assert!(line.text().parse::<u64>().is_ok_and(|time| time > 1_600_000_000), "{line:?}");
            (line.param(at).to_owned(), line.param(at + 1).to_owned())
        })
        .collect()
}

#[tokio::test]
async fn isupport_tells_of_the_lists() {
    let server = Server::start().await;
    let alice = server.login("alice").await;
    let tokens: Vec<&str> =
        alice.greeting.iter().filter(|line| line.is("005")).flat_map(|line| &line.params).map(String::as_str).collect();
    for token in
        ["CHANMODES=beIq,k,l,imnst", "MAXLIST=beIq:100", "EXCEPTS=e", "INVEX=I", "EXTBAN=~,a", "ACCOUNTEXTBAN=a"]
    {
        assert!(tokens.contains(&token), "{token}: {tokens:?}");
    }
}

#[tokio::test]
async fn a_ban_keeps_out_until_it_is_taken_away() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    sets(&mut alice, "+b carol!*@*", "+b carol!*@*").await;
    bob.expect_from("alice", "MODE #dev +b carol!*@*").await;
    refused(&mut carol, "JOIN #dev", "474").await;
    refused(&mut carol, "JOIN #dev wrong", "474").await;
    sets(&mut alice, "-b carol!*@*", "-b carol!*@*").await;
    assert!(carol.ask("JOIN #dev").await.iter().any(|line| line.matches(":carol JOIN #dev")));
}

#[tokio::test]
async fn a_mask_is_completed_and_does_not_care_for_case() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    for (written, full) in [
        ("CAROL", "CAROL!*@*"),
        ("car?l", "car?l!*@*"),
        ("*!CAROL@*", "*!CAROL@*"),
        ("*@chat.test", "*!*@chat.test"),
        ("~a:Carol", "~a:Carol"),
    ] {
        sets(&mut alice, &format!("+b {written}"), &format!("+b {full}")).await;
        refused(&mut carol, "JOIN #dev", "474").await;
        assert_eq!(alice.ask(&format!("MODE #dev +b {}", full.to_lowercase())).await, [], "no change");
        assert_eq!(list(&mut alice, 'b').await, [(full.to_owned(), "alice".to_owned())]);
        sets(&mut alice, &format!("-b {}", written.to_lowercase()), &format!("-b {full}")).await;
        assert_eq!(list(&mut alice, 'b').await, []);
    }
    assert!(carol.ask("JOIN #dev").await.iter().any(|line| line.matches(":carol JOIN #dev")));
}

#[tokio::test]
async fn who_is_banned_and_inside_may_not_speak() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    sets(&mut alice, "+b bob", "+b bob!*@*").await;
    bob.expect("MODE #dev +b").await;
    refused(&mut bob, "PRIVMSG #dev :hello", "404").await;
    refused(&mut bob, "@+typing=active TAGMSG #dev", "404").await;
    assert_eq!(bob.ask("NOTICE #dev :hello").await, [], "a NOTICE is not answered");
    sets(&mut alice, "+v bob", "+v bob").await;
    bob.sync().await;
    bob.ask("PRIVMSG #dev :with a voice").await;
    assert_eq!(alice.hears().await, ["with a voice"]);
    sets(&mut alice, "-v+e bob ~a:bob", "-v+e bob ~a:bob").await;
    bob.sync().await;
    bob.ask("PRIVMSG #dev :with an exception").await;
    assert_eq!(alice.hears().await, ["with an exception"]);
    assert_eq!(server.said("#dev"), ["with a voice", "with an exception"]);
}

#[tokio::test]
async fn a_mute_keeps_quiet_and_not_out() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    sets(&mut alice, "+q carol", "+q carol!*@*").await;
    assert!(carol.ask("JOIN #dev").await.iter().any(|line| line.matches(":carol JOIN #dev")));
    assert_eq!(list(&mut carol, 'q').await, [("carol!*@*".to_owned(), "alice".to_owned())]);
    refused(&mut carol, "PRIVMSG #dev :hello", "404").await;
    sets(&mut alice, "-t", "-t").await;
    carol.sync().await;
    refused(&mut carol, "TOPIC #dev :hello", "482").await;
    sets(&mut alice, "-q carol", "-q carol!*@*").await;
    carol.sync().await;
    carol.ask("PRIVMSG #dev :at last").await;
    assert_eq!(server.said("#dev"), ["at last"]);
}

#[tokio::test]
async fn an_exception_is_stronger_than_a_ban() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    let mut dave = server.login("dave").await;
    sets(&mut alice, "+be *!*@* ~a:carol", "+be *!*@* ~a:carol").await;
    refused(&mut dave, "JOIN #dev", "474").await;
    assert!(carol.ask("JOIN #dev").await.iter().any(|line| line.matches(":carol JOIN #dev")));
    carol.ask("PRIVMSG #dev :hello").await;
    assert_eq!(server.said("#dev"), ["hello"]);
}

#[tokio::test]
async fn an_invitation_is_stronger_than_a_ban_and_used_up() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    sets(&mut alice, "+b carol", "+b carol!*@*").await;
    bob.sync().await;
    refused(&mut bob, "INVITE carol #dev", "482").await;
    refused(&mut carol, "JOIN #dev", "474").await;
    alice.send("INVITE carol #dev").await;
    carol.expect_from("alice", "INVITE carol #dev").await;
    assert!(carol.ask("JOIN #dev").await.iter().any(|line| line.matches(":carol JOIN #dev")));
    alice.send("KICK #dev carol").await;
    carol.expect("KICK #dev carol").await;
    refused(&mut carol, "JOIN #dev", "474").await;
}

#[tokio::test]
async fn who_is_on_the_list_needs_no_invitation() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    let mut dave = server.login("dave").await;
    sets(&mut alice, "+iI carol!*@*", "+iI carol!*@*").await;
    refused(&mut dave, "JOIN #dev", "473").await;
    assert!(carol.ask("JOIN #dev").await.iter().any(|line| line.matches(":carol JOIN #dev")));
    carol.ask("PART #dev").await;
    sets(&mut alice, "-I carol!*@*", "-I carol!*@*").await;
    refused(&mut carol, "JOIN #dev", "473").await;
}

#[tokio::test]
async fn who_may_see_a_list() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    sets(&mut alice, "+beIq w x y z", "+beIq w!*@* x!*@* y!*@* z!*@*").await;
    let by_alice = |mask: &str| vec![(mask.to_owned(), "alice".to_owned())];
    for (letter, mask) in [('b', "w!*@*"), ('e', "x!*@*"), ('I', "y!*@*"), ('q', "z!*@*")] {
        assert_eq!(list(&mut bob, letter).await, by_alice(mask));
    }
    for letter in ['b', 'q'] {
        assert_eq!(list(&mut carol, letter).await.len(), 1);
    }
    refused(&mut carol, "MODE #dev e", "442").await;
    refused(&mut carol, "MODE #dev +I", "442").await;
    let answer = bob.ask("MODE #dev +be").await;
    assert!(answer.iter().any(|line| line.is("368")) && answer.iter().any(|line| line.is("349")), "{answer:?}");
    refused(&mut bob, "MODE #dev +b x", "482").await;
    refused(&mut bob, "MODE #dev -b w", "482").await;
    refused(&mut carol, "MODE #dev +b x", "442").await;
    sets(&mut alice, "+s", "+s").await;
    carol.sync().await;
    refused(&mut carol, "MODE #dev b", "403").await;
}

#[tokio::test]
async fn what_is_no_mask() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    for mask in ["~x:bob", "~a:", "x".repeat(200).as_str()] {
        let answer = alice.ask(&format!("MODE #dev +b {mask}")).await;
        assert!(answer.len() == 1 && answer[0].matches("696 alice #dev b"), "{answer:?}");
    }
}

#[tokio::test]
async fn the_lists_have_an_end() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    for round in 0..11 {
        let masks: Vec<String> = (0..9).map(|n| format!("m{round}x{n}")).collect();
        alice.ask(&format!("MODE #dev +bbbeeeIqb {}", masks.join(" "))).await;
    }
    bob.sync().await;
    let answer = alice.ask("MODE #dev +mbqe one two m0x0").await;
    let told = |pattern: &str| answer.iter().any(|line: &Line| line.matches(pattern));
    assert!(told(":alice MODE #dev +m") && told(":alice MODE #dev +b one!*@*"), "{answer:?}");
    assert!(told("478 alice #dev q") && told("478 alice #dev e"), "{answer:?}");
    assert_eq!(answer.len(), 4, "{answer:?}");
    // A mask that is there is no further one, and what goes makes room.
    assert_eq!(alice.ask("MODE #dev +b ONE").await, []);
    sets(&mut alice, "-b one", "-b one!*@*").await;
    sets(&mut alice, "+q two", "+q two!*@*").await;
}

/// However many masks come at once, no line is too long (the harness looks at each) and none is lost.
#[tokio::test]
async fn many_long_masks_are_told_in_several_lines() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    for letters in ["bbb", "qqq", "eee"] {
        let masks: Vec<String> = letters.chars().zip(0..).map(|(_, n)| format!("{n}{}!*@*", "x".repeat(120))).collect();
        alice.ask(&format!("MODE #dev +{letters} {}", masks.join(" "))).await;
        let told = bob.sync().await;
        assert_eq!(told.iter().map(|line| line.params.len() - 2).sum::<usize>(), 3, "{told:?}");
        assert_eq!(list(&mut bob, letters.chars().next().expect("one")).await.len(), 3);
    }
}

#[tokio::test]
async fn the_lists_outlive_the_server() {
    let mut server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    sets(&mut alice, "+bq ~a:carol Dave", "+bq ~a:carol Dave!*@*").await;
    sets(&mut alice, "+b x", "+b x!*@*").await;
    sets(&mut alice, "-b x", "-b x!*@*").await;
    server.restart().await;
    let mut alice = server.login("alice").await;
    assert_eq!(list(&mut alice, 'b').await, [("~a:carol".to_owned(), "alice".to_owned())]);
    assert_eq!(list(&mut alice, 'q').await, [("Dave!*@*".to_owned(), "alice".to_owned())]);
    let mut carol = server.login("carol").await;
    refused(&mut carol, "JOIN #dev", "474").await;
}

#[tokio::test]
async fn an_administrator_with_powers_is_not_kept_out() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    sets(&mut alice, "+b *!*@*", "+b *!*@*").await;
    let mut root = server.login("root").await;
    refused(&mut root, "JOIN #dev", "474").await;
    let mut root = server.login_oper("root").await;
    assert!(root.ask("JOIN #dev").await.iter().any(|line| line.matches(":root JOIN #dev")));
}

#[tokio::test]
async fn the_founder_comes_back_in_whatever_stands_there() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    sets(&mut alice, "+o bob", "+o bob").await;
    bob.sync().await;
    bob.ask("MODE #dev +ibk alice word").await;
    bob.ask("KICK #dev alice").await;
    alice.sync().await;
    assert!(alice.ask("JOIN #dev").await.iter().any(|line| line.matches(":alice JOIN #dev")));
}

#[tokio::test]
async fn administrators_see_the_lists_on_the_command_line() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    sets(&mut alice, "+bq carol ~a:dave", "+bq carol!*@* ~a:dave").await;
    let shown = server.chatd(&["room", "show", "dev"]).ok();
    for text in ["carol!*@*", "banned", "~a:dave", "muted"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
}
