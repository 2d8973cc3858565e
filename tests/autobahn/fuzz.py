# The fuzzing client, with a header of ours on every upgrade: the suite itself has no way to say who it is.
#
#   COOKIE=session=TOKEN python fuzz.py SPEC
import json
import os
import sys

from autobahntestsuite.fuzzing import FuzzingClientFactory, startClient
from twisted.internet import reactor

plain = FuzzingClientFactory.setSessionParameters


def with_cookie(self, *args, **named):
    plain(self, *args, **named)
    self.headers = {'Cookie': os.environ['COOKIE']}


FuzzingClientFactory.setSessionParameters = with_cookie
with open(sys.argv[1]) as spec:
    startClient(json.load(spec))
reactor.run()
