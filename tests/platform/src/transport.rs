//! What a device may come over.

/// Below MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Plain TCP.
    Tcp,
    /// TLS with certificates.
    Tls,
    /// WebSocket over TCP.
    Ws,
    /// WebSocket over TLS.
    Wss,
    /// TLS with a pre-shared key.
    Psk,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Tls, Self::Tcp, Self::Ws, Self::Wss, Self::Psk];

    /// The name in events, options and the ready file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Psk => "psk",
        }
    }

    /// How people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WebSocket",
            Self::Wss => "WebSocket over TLS",
            Self::Psk => "TLS-PSK",
        }
    }

    /// Whether it is encrypted.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss | Self::Psk)
    }

    /// Whether the server shows a certificate.
    pub fn has_certificate(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }
}
