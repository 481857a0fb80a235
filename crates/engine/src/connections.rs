//! Incoming connections: only so many are open at once, and silent ones are closed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tonic::transport::server::Connected;

/// Connections of a listener that may be open at once. Each takes a file descriptor and a few kilobytes.
const MOST: usize = 2_000;
/// A peer that sends nothing for this long after it connected is disconnected.
const SILENCE: Duration = Duration::from_secs(10);
/// Pause after a failure to accept a connection, for example because no file descriptor is free.
const BREATH: Duration = Duration::from_millis(50);

/// Accepts the connections that arrive at a listener.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Door {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(MOST)) }
    }

    /// The next connection for which there is a place. Connections that arrive when there is none are closed.
    pub(crate) async fn next(&self) -> (TcpStream, Place) {
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            };
            // With Nagle's algorithm every small call waits some 40 ms for a delayed acknowledgement.
            let _ = stream.set_nodelay(true);
            match Arc::clone(&self.places).try_acquire_owned() {
                Ok(place) => return (stream, Place { _permit: place }),
                Err(_) => tracing::warn!("{MOST} connections are open; one more was closed"),
            }
        }
    }
}

/// A place among the open connections, taken until it is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

/// A connection that has a place. It is closed when its peer sends nothing at the start.
#[derive(Debug)]
pub struct Connection<T> {
    stream: T,
    silence: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl<T> Connection<T> {
    pub(crate) fn new(stream: T, place: Place) -> Self {
        Self { stream, silence: Some(Box::pin(tokio::time::sleep(SILENCE))), _place: place }
    }
}

/// The connections of a listener, for tonic.
pub fn incoming(listener: TcpListener) -> impl Stream<Item = io::Result<Connection<TcpStream>>> {
    futures::stream::unfold(Door::new(listener), async |door| {
        let (stream, place) = door.next().await;
        Some((Ok(Connection::new(stream, place)), door))
    })
}

impl<T: Connected> Connected for Connection<T> {
    type ConnectInfo = T::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Connection<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        match (&read, &mut this.silence) {
            (Poll::Pending, Some(silence)) => match silence.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Poll::Pending => Poll::Pending,
            },
            _ => {
                this.silence = None;
                read
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Connection<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_let_go_and_who_has_spoken_may_be_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = Door::new(listener);
        let _silent = TcpStream::connect(address).await.unwrap();
        let (stream, place) = door.next().await;
        let error = Connection::new(stream, place).read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        let mut spoken = TcpStream::connect(address).await.unwrap();
        let (stream, place) = door.next().await;
        let mut connection = Connection::new(stream, place);
        spoken.write_all(b"a").await.unwrap();
        assert_eq!(connection.read_u8().await.unwrap(), b'a');
        let waited = tokio::time::timeout(SILENCE * 100, connection.read_u8()).await;
        assert!(waited.is_err(), "it was let go: {waited:?}");
        assert_eq!(door.places.available_permits(), MOST - 1);
        drop(connection);
        assert_eq!(door.places.available_permits(), MOST);
    }
}
