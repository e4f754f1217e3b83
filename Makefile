# Every target is one line to a script or to swift; the scripts can be run by hand as well.

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc/ssh
DESTDIR ?=

.PHONY: build install test lint format regress bench fuzz generate-check clean

build:
	scripts/build release

install: build
	scripts/install "$(DESTDIR)$(PREFIX)" "$(DESTDIR)$(SYSCONFDIR)"

test:
	scripts/test

lint:
	scripts/lint

format:
	swift format --in-place --parallel --recursive Package.swift Sources Tests Fuzz

regress:
	scripts/regress

bench:
	scripts/bench

fuzz:
	scripts/fuzz

generate-check:
	scripts/generate-blowfish-tables --check
	scripts/generate-oakley-primes --check

clean:
	rm -rf .build .build-fuzz
