//! Sockets that listen, and what they accept. An IPv6 address is IPv6 alone, so that `0.0.0.0` and `[::]` can stand side
//! by side.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Connections that may wait to be accepted: enough for everybody to come back at once after a restart.
const BACKLOG: i32 = 4096;

/// Starts to listen; must be called inside the runtime.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What every accepted connection wants: no waiting for more to say, and the kernel's own look whether the peer lives.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(std::time::Duration::from_secs(120)))
}

/// An accepted connection that is written to by `send`. A session writes one TLS record at a time, for which `writev` costs
/// some twentieth more and gives nothing.
#[derive(Debug)]
pub struct Accepted(pub TcpStream);

/// What goes over a connection that one runtime can take over from another.
pub trait Movable {
    /// Makes it the business of the runtime that we are in. Nobody may be waiting for it.
    fn move_here(&mut self) -> io::Result<()>;
}

impl<S: Movable> Movable for Box<S> {
    fn move_here(&mut self) -> io::Result<()> {
        (**self).move_here()
    }
}

impl Movable for Accepted {
    fn move_here(&mut self) -> io::Result<()> {
        let own = self.0.as_fd().try_clone_to_owned()?;
        self.0 = TcpStream::from_std(own.into())?;
        Ok(())
    }
}

impl AsyncRead for Accepted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
