//! A connection from its first line to its end, in two parts: up to the login, and the session. Between them it may move to
//! where the sessions are served. Owns how somebody is sent away, and how the end of a session is told.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::log::Intent;
use crate::net::conn::Conn;
use crate::net::framing::LineReader;
use crate::proto::line::Line;

use super::{Context, Peer, Session, register, submit_quietly};

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(3);

/// Serves one connection from its first line to its end.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(conn: Conn<S>, ctx: Arc<Context>, peer: Peer) {
    if let Some(admitted) = log_in(conn, &ctx, peer).await {
        admitted.serve(ctx).await;
    }
}

/// A connection whose client has proved who it is, and is told so by what follows: [`Admitted::serve`].
pub struct Admitted<S> {
    conn: Conn<S>,
    lines: LineReader,
    newcomer: Box<register::Newcomer>,
}

/// Leads a client to its login; who does not get there is told why and sent away. What comes after may go on elsewhere.
pub async fn log_in<S: AsyncRead + AsyncWrite + Unpin + Send>(
    mut conn: Conn<S>,
    ctx: &Arc<Context>,
    peer: Peer,
) -> Option<Admitted<S>> {
    let mut lines = LineReader::new();
    match Box::pin(register::register(&mut conn, &mut lines, ctx, &peer)).await {
        Ok(newcomer) => Some(Admitted { conn, lines, newcomer }),
        Err(reason) => {
            refuse(conn, &reason).await;
            None
        }
    }
}

/// Sends somebody away. An empty reason: nobody is there any more.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(mut conn: Conn<S>, reason: &str) {
    if !reason.is_empty() {
        conn.push_line(Line::new().command("ERROR").last(reason).as_str());
    }
    conn.close(FAREWELL).await;
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Admitted<S> {
    pub fn io_mut(&mut self) -> &mut S {
        self.conn.io_mut()
    }

    /// The session, to its end.
    pub async fn serve(self, ctx: Arc<Context>) {
        let Admitted { conn, mut lines, newcomer } = self;
        match Box::pin(newcomer.come_in(&ctx)).await {
            Ok(session) => run(session, conn, &mut lines).await,
            Err(reason) => refuse(conn, &reason).await,
        }
    }
}

async fn run<S: AsyncRead + AsyncWrite + Unpin>(mut session: Box<Session>, mut conn: Conn<S>, lines: &mut LineReader) {
    let reason = session.converse(&mut conn, lines).await;
    // What somebody said in leaving is for the rooms.
    let logged = ["Quit", "Killed"].into_iter().find(|word| reason.starts_with(word)).unwrap_or(&reason);
    tracing::info!(session = session.id, account = %session.person.nick, reason = ?logged, "session ended");
    // Ended by the server, or lost: what was written last counts if the client takes its leave in turn.
    let (caps, drained) = (session.caps(), session.drained);
    let unsure = session.presence.place.unsure(caps, drained);
    let (person, log) = (session.person.clone(), session.ctx.log.clone());
    session.end(reason);
    let closed = conn.close(FAREWELL).await;
    if let Some((device, seen)) = unsure.filter(|_| closed) {
        person.saw(&device, seen);
        submit_quietly(&log, Intent::Seen { account: person.id, device, seen }).await;
    }
}
