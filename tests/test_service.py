"""
How Twisted finds the daemon.
"""

import pytest
from twisted.application.service import IService, IServiceMaker
from twisted.plugin import IPlugin, getPlugins
from zope.interface.verify import verifyObject

from cvmpair import service
from cvmpair.options import Options


@pytest.fixture(scope="module")
def maker() -> IServiceMaker:
    """
    The plugin, as ``twistd`` finds it.
    """
    (maker,) = (
        plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "cvmpair"
    )
    return maker


def test_the_plugin_keeps_its_promises(maker: IServiceMaker) -> None:
    assert verifyObject(IServiceMaker, maker)
    assert verifyObject(IPlugin, maker)


def test_the_plugin_says_what_it_is_for(maker: IServiceMaker) -> None:
    assert maker.description.endswith(".")
    assert "\n" not in maker.description


def test_the_plugin_leads_to_the_daemon(maker: IServiceMaker) -> None:
    assert maker.options is Options
    assert maker.makeService == service.makeService


def test_a_daemon_that_is_not_started_touches_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from twisted.internet import reactor

    # It puts the reactor on the monotonic clock, which lasts.
    monkeypatch.setattr(reactor, "seconds", reactor.seconds)
    state = tmp_path_factory.mktemp("sesame") / "state"
    options = Options()
    options.parseOptions([f"--state-dir={state}", "--listen=tcp:0"])
    daemon = service.makeService(options)
    assert verifyObject(IService, daemon)
    assert not daemon.running
    assert not state.exists()


@pytest.mark.parametrize("option", ["--listen", "--admin-listen"])
@pytest.mark.parametrize(
    "words",
    [
        "sesame",
        "tcp:sesame",
        "ssl:0:privateKey=/sesame",
        "tls:/sesame:port=0",
        "tls:path=/dev/null:port=0",
    ],
)
def test_a_bad_endpoint_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    option: str,
) -> None:
    from twisted.internet import reactor

    monkeypatch.setattr(reactor, "seconds", reactor.seconds)
    options = Options()
    options.parseOptions([f"{option}={words}"])
    with pytest.raises(SystemExit) as ended:
        service.makeService(options)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cvmpair: {option} {words!r} is no usable endpoint: ")
