// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserSystem
internal import HawserWire

/// What xauth(1) knows about a display.
struct XAuthority {
    /// The program.
    let path: String
    /// The file that it reads, if another than usual.
    let file: String?

    struct Cookie {
        let name: String
        let value: [UInt8]
    }

    /// The display's own cookie, which lets a client do everything; nil when there is none.
    func cookie(of display: X11Display) -> Cookie? {
        run(["list", display.authorityName]).flatMap(Self.parse)
    }

    /// A cookie that the display is asked to make, which lets a client do little, for so many
    /// seconds (0: for ever).
    func restrictedCookie(of display: X11Display, seconds: Int) -> Cookie? {
        let directory = "/tmp/ssh-\(Hexadecimal.encode(SystemRandom().bytes(8)))"
        guard (try? Files.makeDirectory(directory, mode: 0o700)) != nil else { return nil }
        let file = directory + "/xauthfile"
        defer {
            Files.remove(file)
            Files.removeDirectory(directory)
        }
        var words = [
            "-f", file, "generate", display.authorityName, "MIT-MAGIC-COOKIE-1", "untrusted",
        ]
        // The display forgets it a little later than we do.
        if seconds > 0 { words += ["timeout", "\(seconds + 60)"] }
        guard run(words) != nil else { return nil }
        return run(["-f", file, "list", display.authorityName]).flatMap(Self.parse)
    }

    /// Its output; nil when it fails.
    private func run(_ words: [String]) -> String? {
        guard let pipe = try? Descriptor.pipe() else { return nil }
        defer { Descriptor.close(pipe.read) }
        guard let null = try? Descriptor.open("/dev/null", 2) else { return nil }
        var spawn = Spawn(path, [path] + words)
        if let file {
            spawn.environment =
                Environment.all.filter { !$0.hasPrefix("XAUTHORITY=") } + ["XAUTHORITY=\(file)"]
        }
        spawn.descriptors = [(0, null), (1, pipe.write), (2, null)]
        let started = try? spawn.start()
        Descriptor.close(pipe.write)
        Descriptor.close(null)
        guard let started, let output = Descriptor.readAll(pipe.read, limit: 65536),
            Child.wait(started) == .exited(0)
        else { return nil }
        return String(octets: output)
    }

    /// The first line of `list`: display, protocol, hexadecimal cookie.
    static func parse(_ text: String) -> Cookie? {
        guard let line = text.split(separator: "\n").first else { return nil }
        let fields = line.split(separator: " ").map(String.init)
        guard fields.count == 3, let value = Hexadecimal.decode(fields[2]), !value.isEmpty,
            value.count <= 256
        else { return nil }
        return Cookie(name: fields[1], value: value)
    }
}
