// SPDX-License-Identifier: Apache-2.0

let arguments = Arguments(World.arguments)
World.exit(run(arguments))

/// Carries out what was asked for; the exit status.
func run(_ arguments: Arguments) -> Int32 {
    if arguments.findsHost != nil || arguments.removesHost != nil || arguments.hashesHosts {
        return editKnownHosts(arguments)
    }
    if arguments.makesHostKeys { return makeHostKeys(arguments) }
    if arguments.makesRevocationList { return makeRevocationList(arguments) }
    if arguments.queriesRevocationList { return queryRevocationList(arguments) }
    if arguments.moduliOperation != nil { return handleModuli(arguments) }
    if arguments.signatureOperation != nil { return handleSignatures(arguments) }
    if arguments.signer != nil {
        if arguments.identity == nil {
            fatal("Must specify key id (-I) when certifying")
        }
        return certify(arguments)
    }
    if arguments.downloadsResidentKeys { return downloadResidentKeys(arguments) }
    if arguments.tokenLibrary != nil { return printTokenKeys(arguments) }
    if arguments.printsCertificates { return printCertificates(arguments) }
    if arguments.printsFingerprint || arguments.printsBubbleBabble {
        return printFingerprints(arguments)
    }
    if arguments.changesPassphrase { return changePassphrase(arguments) }
    if arguments.changesComment { return changeComment(arguments) }
    if arguments.recordName != nil { return printRecords(arguments) }
    if arguments.exports { return exportKey(arguments) }
    if arguments.imports { return importKey(arguments) }
    if arguments.printsPublicKey { return printPublicKey(arguments) }
    return makeKey(arguments)
}
