// SPDX-License-Identifier: Apache-2.0

internal import HawserKeys
internal import HawserWire

/// `-p`: another passphrase (or format, or cipher) for a private key file.
func changePassphrase(_ arguments: Arguments) -> Int32 {
    let path = inputFile(arguments)
    requireFile(path)
    let (key, _) = loadPrivateKey(path, arguments, prompt: "Enter old passphrase: ") {
        "Failed to load key \(path): \($0)"
    }
    if !key.commentBytes.isEmpty { World.print("Key has comment '\(printed(key.comment))'") }
    let changed = withFlags(arguments.options, key)
    let passphrase =
        arguments.newPassphraseBytes
        ?? readNewPassphrase(
            "Enter new passphrase (empty for no passphrase): ",
            isChange: true
        )
    if let problem = savePrivateKey(changed, to: path, passphrase: passphrase, arguments) {
        World.error("Saving key \"\(path)\" failed: \(problem)")
        return 1
    }
    World.print("Your identification has been saved with the new passphrase.")
    return 0
}

/// The key with what `-O` says of a security key: that it wants a touch, or no verification. The
/// token decides in the end; these flags are what we ask it for (PROTOCOL.u2f).
private func withFlags(_ options: [String], _ key: PrivateKey) -> PrivateKey {
    if options.isEmpty { return key }
    guard case .securityKey(var flags, let handle, let reserved) = key.material else {
        fatal("Options are for keys in security keys only")
    }
    for option in options {
        switch option.asciiLowercased {
        case "touch-required": flags |= SecurityKeyFlags.userPresence
        case "no-verify-required": flags &= ~SecurityKeyFlags.userVerification
        default: fatal("Option \"\(option)\" is unsupported for changing a passphrase")
        }
    }
    return PrivateKey(
        publicKey: key.publicKey,
        material: .securityKey(flags: flags, handle: handle, reserved: reserved),
        commentBytes: key.commentBytes
    )
}

/// `-c`: another comment in both files of a key.
func changeComment(_ arguments: Arguments) -> Int32 {
    let path = inputFile(arguments)
    requireFile(path)
    let (key, passphrase) = loadPrivateKey(path, arguments) {
        "Cannot load private key \"\(path)\": \($0)"
    }
    World.print(
        key.commentBytes.isEmpty
            ? "No existing comment" : "Old comment: \(printed(key.comment))"
    )
    var comment: [UInt8]
    if let given = arguments.commentBytes {
        comment = given
    } else {
        World.write("New comment: ")
        guard let answer = World.readLine() else { return 1 }
        comment = answer.octets
    }
    if comment == key.commentBytes {
        World.print("No change to comment")
        return 0
    }
    let changed = key.commented(comment)
    if let problem = savePrivateKey(changed, to: path, passphrase: passphrase, arguments) {
        World.error("Saving key \"\(path)\" failed: \(problem)")
        return 1
    }
    if let problem = savePublicKey(changed.publicKey, comment: comment, to: path + ".pub") {
        fatal("Unable to save public key to \(path).pub: \(problem)")
    }
    World.print(
        comment.isEmpty
            ? "Comment removed" : "Comment '\(printed(changed.comment))' applied"
    )
    return 0
}
