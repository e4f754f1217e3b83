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
    if !key.commentBytes.isEmpty { World.print("Key has comment '\(printable(key.comment))'") }
    let passphrase =
        arguments.newPassphrase.map { SecretBytes(Array($0.utf8)) }
        ?? readNewPassphrase("Enter new passphrase (empty for no passphrase): ")
    if let problem = savePrivateKey(key, to: path, passphrase: passphrase, arguments) {
        World.error("Saving key \"\(path)\" failed: \(problem)")
        return 1
    }
    World.print("Your identification has been saved with the new passphrase.")
    return 0
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
            ? "No existing comment" : "Old comment: \(printable(key.comment))"
    )
    var comment: [UInt8]
    if let given = arguments.comment {
        comment = Array(given.utf8)
    } else {
        World.write("New comment: ")
        guard let answer = World.readLine() else { return 1 }
        comment = Array(answer.utf8)
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
            ? "Comment removed" : "Comment '\(printable(changed.comment))' applied"
    )
    return 0
}
