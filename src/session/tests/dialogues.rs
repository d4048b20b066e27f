//! What one client says and the others see.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quit_is_seen_once_by_who_shares_two_rooms() {
    let bench = Bench::new(&["anna", "bela"]).await;
    let (mut anna, mut bela) = (bench.login("anna", ALL_CAPS).await, bench.login("bela", ALL_CAPS).await);
    anna.ask("JOIN #one,#two,#three").await;
    bela.ask("JOIN #one,#two").await;
    anna.sync().await;
    bela.send("QUIT :good night").await;
    let quit = loop {
        let line = anna.line().await;
        if !told(std::slice::from_ref(&line), "QUIT").is_empty() {
            break line;
        }
    };
    assert!(quit.ends_with(":bela!bela@chat.test QUIT :Quit: good night"), "{quit}");
    let rest = anna.ask("PRIVMSG #one :still here").await;
    assert_eq!(told(&rest, "QUIT"), [""; 0]);
    assert_eq!(told(&rest, "PRIVMSG").len(), 1);
}

#[tokio::test]
async fn the_echo_carries_the_label() {
    let bench = Bench::new(&["anna", "bela"]).await;
    let (mut anna, mut bela) = (bench.login("anna", ALL_CAPS).await, bench.login("bela", ALL_CAPS).await);
    anna.ask("JOIN #one").await;
    bela.ask("JOIN #one").await;
    anna.sync().await;
    for n in 0..40 {
        anna.send(&format!("@label=l{n} PRIVMSG #one :line {n}")).await;
    }
    let echoes = anna.sync().await;
    for (n, echo) in echoes.iter().enumerate() {
        assert_eq!(tag(echo, "label"), Some(format!("l{n}")), "{echo}");
        assert!(echo.ends_with(&format!(" PRIVMSG #one :line {n}")), "{echo}");
    }
    let copies = bela.sync().await;
    assert_eq!((echoes.len(), copies.len()), (40, 40));
    assert!(copies.iter().all(|copy| tag(copy, "label").is_none()));
    assert_eq!(events(&echoes), events(&copies));

    let refused = anna.ask("@label=x PRIVMSG #nowhere :hello").await;
    assert_eq!((refused.len(), tag(&refused[0], "label").as_deref()), (1, Some("x")), "{refused:?}");
    let topic = anna.ask("@label=y TOPIC #one :tea").await;
    assert_eq!((topic.len(), tag(&topic[0], "label").as_deref()), (1, Some("y")), "{topic:?}");
    assert_eq!(told(&topic, "TOPIC"), ["TOPIC #one :tea"]);
}

/// Without echo-message: an acknowledgement at once, and never the message itself.
#[tokio::test]
async fn who_wants_no_echo_gets_none() {
    let bench = Bench::new(&["anna", "bela"]).await;
    let mut anna = bench.login("anna", "labeled-response batch message-tags").await;
    anna.ask("JOIN #one").await;
    let lines = anna.ask("@label=a PRIVMSG #one :hello").await;
    assert_eq!(lines, ["@label=a :chat.test ACK"]);
    assert_eq!(
        anna.ask("PRIVMSG #one,bela :hello").await,
        [":chat.test 301 anna bela :is offline and will see the message at the next login"]
    );
    let mut plain = bench.login("anna", "").await;
    assert_eq!(plain.ask("PRIVMSG #one :hello again").await, [""; 0]);
    let lines = anna.sync().await;
    assert_eq!(told(&lines, "PRIVMSG"), ["PRIVMSG #one :hello again"], "{lines:?}");
}

/// What was committed before a PING came stands before its PONG, whoever said it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pong_is_a_fence() {
    let bench = Bench::new(&["anna", "bela", "carl"]).await;
    let mut anna = bench.login("anna", "message-tags echo-message").await;
    let mut bela = bench.login("bela", "message-tags").await;
    let mut carl = bench.login("carl", "").await;
    anna.ask("JOIN #one,#two").await;
    bela.ask("JOIN #one,#two").await;
    carl.ask("JOIN #one,#two").await;
    anna.sync().await;
    bela.sync().await;
    for round in 0..60 {
        for n in 0..round % 7 {
            anna.send(&format!("PRIVMSG #{} :{round} {n}", ["one", "two"][n % 2])).await;
        }
        let echoes = told(&anna.sync().await, "PRIVMSG");
        assert_eq!(echoes.len(), round % 7);
        assert_eq!(told(&bela.sync().await, "PRIVMSG"), echoes);
        assert_eq!(told(&carl.sync().await, "PRIVMSG"), echoes);
    }
}

#[tokio::test]
async fn a_message_to_oneself_is_echo_and_copy() {
    let bench = Bench::new(&["anna"]).await;
    let (mut anna, mut phone) = (bench.login("anna", ALL_CAPS).await, bench.login("anna", ALL_CAPS).await);
    for round in ["first", "second"] {
        let lines = anna.ask(&format!("@label={round} PRIVMSG anna :{round} note to self")).await;
        let told_twice = told(&lines, "PRIVMSG");
        assert_eq!(told_twice, vec![format!("PRIVMSG anna :{round} note to self"); 2], "{lines:?}");
        assert_eq!(lines.iter().filter_map(|line| tag(line, "label")).collect::<Vec<_>>(), [round], "{lines:?}");
        assert_eq!(tag(&lines[0], "label").as_deref(), Some(round));
        assert_eq!(told(&phone.sync().await, "PRIVMSG"), [format!("PRIVMSG anna :{round} note to self")]);
    }
    let mut plain = bench.login("anna", "").await;
    let lines = plain.ask("PRIVMSG anna :third").await;
    assert_eq!(told(&lines, "PRIVMSG"), ["PRIVMSG anna :third"], "{lines:?}");
}

#[tokio::test]
async fn the_first_direct_message_makes_the_room_and_comes_back_with_its_label() {
    let bench = Bench::new(&["anna", "bela"]).await;
    let (mut anna, mut bela) = (bench.login("anna", ALL_CAPS).await, bench.login("bela", ALL_CAPS).await);
    for n in 0..3 {
        let echo = anna.ask(&format!("@label=l{n} PRIVMSG Bela :hello {n}")).await;
        assert_eq!(told(&echo, "PRIVMSG"), [format!("PRIVMSG bela :hello {n}")], "{echo:?}");
        assert_eq!(tag(&echo[0], "label"), Some(format!("l{n}")));
        let copy = bela.sync().await;
        assert_eq!(told(&copy, "PRIVMSG"), [format!("PRIVMSG bela :hello {n}")], "{copy:?}");
        assert_eq!(tag(&copy[0], "label"), None);
    }
    let echo = bela.ask("@label=r PRIVMSG anna :hello yourself").await;
    assert_eq!((echo.len(), tag(&echo[0], "label").as_deref()), (1, Some("r")));
    assert_eq!(told(&anna.sync().await, "PRIVMSG"), ["PRIVMSG anna :hello yourself"]);
}

#[tokio::test]
async fn every_device_sees_what_the_others_send() {
    let bench = Bench::new(&["anna", "bela"]).await;
    let mut desk = bench.login("anna", ALL_CAPS).await;
    let mut phone = bench.login("anna", ALL_CAPS).await;
    let mut bela = bench.login("bela", ALL_CAPS).await;
    let joined = desk.ask("JOIN #one").await;
    assert_eq!(told(&joined, "JOIN"), ["JOIN #one anna :Somebody"]);
    assert_eq!(told(&phone.sync().await, "JOIN"), ["JOIN #one anna :Somebody"]);
    desk.ask("@label=a PRIVMSG #one :to the room").await;
    desk.ask("PRIVMSG bela :to bela").await;
    let seen = phone.sync().await;
    assert_eq!(told(&seen, "PRIVMSG"), ["PRIVMSG #one :to the room", "PRIVMSG bela :to bela"]);
    assert!(seen.iter().all(|line| tag(line, "label").is_none()));
    bela.ask("PRIVMSG anna :to both").await;
    assert_eq!(told(&desk.sync().await, "PRIVMSG"), ["PRIVMSG anna :to both"]);
    assert_eq!(told(&phone.sync().await, "PRIVMSG"), ["PRIVMSG anna :to both"]);
    phone.ask("PART #one").await;
    assert_eq!(told(&desk.sync().await, "PART"), ["PART #one"]);
}

/// What a slow pipe does not take waits in the log, below the tail too, and comes in order and once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_pipe_loses_nothing() {
    const LINES: usize = 3_000;
    let bench = Bench::new(&["anna", "bela", "carl"]).await;
    let mut anna = bench.login("anna", "").await;
    anna.ask("JOIN #one,#two,#three").await;
    let mut bela = bench.login_by("bela", "message-tags", 64).await;
    bela.sync().await;
    bela.ask("JOIN #one,#two,#three").await;
    let mut carl = bench.login("carl", "message-tags").await;
    carl.ask("JOIN #one,#two,#three").await;
    bela.sync().await;
    let token = bela.ping().await;
    assert_eq!(bela.until(&token).await, [""; 0]);

    let rooms = ["#one", "#two", "#three"];
    // Most of it in one room: its tail overflows.
    let room = |n: usize| if n % 8 < 6 { rooms[0] } else { rooms[n % 8 - 5] };
    let said: Vec<String> = (0..LINES).map(|n| format!("PRIVMSG {} :line {n} {}", room(n), "x".repeat(100))).collect();
    let sending = {
        let said = said.clone();
        tokio::spawn(async move {
            for line in &said {
                anna.send(line).await;
            }
            anna.sync().await;
            anna
        })
    };
    let fast = tokio::spawn(async move {
        let mut lines = Vec::new();
        while lines.len() < LINES {
            lines.push(carl.line().await);
        }
        (lines, carl)
    });
    let anna = sending.await.unwrap();
    // Only now does the slow one begin to read.
    let mut lines = Vec::new();
    while lines.len() < LINES {
        lines.push(bela.line().await);
    }
    assert_eq!(told(&lines, "PRIVMSG"), said);
    assert!(events(&lines).windows(2).all(|pair| pair[0] < pair[1]));
    let (fast, mut carl) = fast.await.unwrap();
    assert_eq!(fast, lines, "one encoding for all, from the tail and from the store");
    assert_eq!((bela.sync().await.len(), carl.sync().await.len()), (0, 0));
    drop(anna);
}

/// Two people speak in four rooms at once; whoever reads, at whatever speed, sees the order of the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_rooms_are_told_in_the_order_of_the_log() {
    const LINES: usize = 400;
    let bench = Bench::new(&["anna", "bela", "carl", "dora"]).await;
    let mut readers = Vec::new();
    for (name, pipe) in [("carl", 1 << 16), ("dora", 200)] {
        let mut reader = bench.login_by(name, "message-tags", pipe).await;
        reader.sync().await;
        reader.ask("JOIN #one,#two,#three,#four").await;
        readers.push(reader);
    }
    let mut senders = Vec::new();
    for name in ["anna", "bela"] {
        let mut sender = bench.login(name, "").await;
        sender.ask("JOIN #one,#two,#three,#four").await;
        senders.push(sender);
    }
    for reader in &mut readers {
        reader.sync().await;
    }
    let senders = senders.into_iter().enumerate().map(|(at, mut sender)| {
        tokio::spawn(async move {
            for n in 0..LINES {
                let room = ["one", "two", "three", "four"][(n * 7 + at) % 4];
                sender.send(&format!("PRIVMSG #{room} :{at} {n}")).await;
                if n % 90 == 0 {
                    sender.send(&format!("PART #{room}")).await;
                    sender.send(&format!("JOIN #{room}")).await;
                }
            }
            sender.sync().await;
            sender
        })
    });
    let senders: Vec<_> = senders.collect();
    let mut told = Vec::new();
    for reader in &mut readers {
        let mut lines = Vec::new();
        while lines.iter().filter(|line: &&String| line.contains(" PRIVMSG ")).count() < 2 * LINES {
            lines.push(reader.line().await);
        }
        assert!(events(&lines).windows(2).all(|pair| pair[0] < pair[1]), "out of order");
        told.push(lines);
    }
    let mut ended = Vec::new();
    for sender in senders {
        ended.push(sender.await.unwrap());
    }
    let spoken = |lines: &Vec<String>| -> Vec<String> {
        lines.iter().filter(|line| line.contains(" PRIVMSG ")).cloned().collect()
    };
    assert_eq!(spoken(&told[0]), spoken(&told[1]));
}

/// Of a flow of messages a client that comes in the middle sees one run: the end of its replay, then what is new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joining_in_the_middle_of_a_flow_leaves_no_seam() {
    let bench = Bench::new(&["anna", "bela"]).await;
    let mut anna = bench.login("anna", "").await;
    anna.ask("JOIN #one").await;
    let flow = tokio::spawn(async move {
        for n in 0..1_500 {
            anna.send(&format!("PRIVMSG #one :{n}")).await;
            if n % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        anna.sync().await;
        anna
    });
    for round in 0..8 {
        let caps = if round % 2 == 0 { ALL_CAPS } else { "" };
        let mut bela = bench.login("bela", caps).await;
        let mut lines = if round < 2 { bela.ask("JOIN #one").await } else { Vec::new() };
        lines.extend(bela.sync().await);
        tokio::time::sleep(Duration::from_millis(5)).await;
        lines.extend(bela.sync().await);
        let numbers: Vec<u32> = told(&lines, "PRIVMSG")
            .iter()
            .map(|line| line.rsplit([' ', ':']).next().unwrap().parse().unwrap())
            .collect();
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "a seam in {numbers:?}");
        bela.ask("PART #one").await;
        bela.ask("JOIN #one").await;
        drop(bela);
    }
    flow.await.unwrap();
}

/// Direct messages that came while nobody was there are told at the next login, once, after a restart too.
#[tokio::test]
async fn missed_direct_messages_are_told_once() {
    let mut bench = Bench::new(&["anna", "bela"]).await;
    for caps in [ALL_CAPS, ""] {
        for restarted in [false, true] {
            let mut anna = bench.login("anna", "").await;
            let mut bela = bench.login("bela", caps).await;
            anna.ask("PRIVMSG bela :seen").await;
            assert_eq!(told(&bela.sync().await, "PRIVMSG").len(), 1);
            gone(&bench, bela, "bela").await;
            anna.ask("PRIVMSG bela :missed one").await;
            anna.ask("PRIVMSG bela :missed two").await;
            gone(&bench, anna, "anna").await;
            if restarted {
                bench = bench.restart(50).await;
            }
            let mut bela = bench.login_by("bela", caps, 1 << 16).await;
            let lines = bela.sync().await;
            let missed = told(&lines, "PRIVMSG");
            assert_eq!(missed.len(), 2, "{lines:?}");
            assert!(missed[0].ends_with("missed one") && missed[1].ends_with("missed two"), "{missed:?}");
            assert_eq!(lines.iter().any(|line| line.contains("BATCH")), !caps.is_empty());
            gone(&bench, bela, "bela").await;
            let mut bela = bench.login_by("bela", caps, 1 << 16).await;
            let lines = bela.sync().await;
            assert_eq!(told(&lines, "PRIVMSG"), [""; 0], "{lines:?}");
            gone(&bench, bela, "bela").await;
        }
    }
}

/// Ends a client in order and waits until the log knows.
async fn gone(bench: &Bench, mut client: Client, name: &str) {
    client.send("QUIT").await;
    let mut rest = Vec::new();
    client.io.read_to_end(&mut rest).await.unwrap();
    drop(client);
    let person = bench.ctx.log.roster().by_key(name).unwrap();
    while person.is_online() || !bench.ctx.tasks.is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
