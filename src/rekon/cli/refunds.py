"""`rekon refunds`: the queue before billing staff, and what they decide (rulebook 3.9)."""

from typing import Annotated, Any

import typer

from rekon.cli import failures, house, output, people
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config, Limit, Reason, TokenFile

app = typer.Typer(no_args_is_help=True, help="Pengembalian saldo: antrean, persetujuan, penetapan.")

RefundId = Annotated[str, typer.Argument(metavar="ID", help="Id pengembalian, dari `rekon refunds list`.")]
Digest = Annotated[
    str | None, typer.Option("--digest", help="Awal sidik bukti yang Anda baca; ditolak bila sudah berubah.")
]
_DIGEST_SHOWN = 12


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="refunds")


@app.command("list")
def list_(
    config: Config = DEFAULT_CONFIG,
    *,
    state: Annotated[str | None, typer.Option("--state", help="Hanya keadaan ini, misalnya awaiting_approval.")] = None,
    limit: Limit = 200,
    as_json: AsJson = False,
) -> None:
    """Daftar pengembalian, terbaru di atas."""
    from rekon.domain.refund import RefundState
    from rekon.store import refunds

    if state is not None and state not in set(RefundState):
        failures.wrong_use(f"Keadaan {state} tidak ada. Pilih: {', '.join(RefundState)}.")
    with house.opened(config) as place:
        rows = place.store.read(refunds.listed, state=state, limit=limit)
    if as_json:
        output.write_json({"items": [_plain(row) for row in rows]})
        return
    columns = ("ID", "TRANSAKSI", "AGEN", "SELISIH", "JUMLAH", "KEADAAN", "DIAJUKAN", "SEBAB DITAHAN")
    cells = [
        (
            row["refund_id"],
            row["transaction_key"],
            row["agent_id"],
            row["break_kind"],
            output.money(row["amount"]),
            row["state"],
            row["requested_at"],
            row["hold_reason"],
        )
        for row in rows
    ]
    output.table(columns, cells, empty="Tidak ada pengembalian.")


def _plain(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of the database
    hidden = ("lease", "evidence", "never_formed", "attempts", "sequence")
    return {name: value for name, value in row.items() if name not in hidden}


@app.command("show")
def show(refund_id: RefundId, config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Kartu persetujuan: bukti, keputusan sejauh ini, dan siapa yang masih diperlukan."""
    from rekon.cli import refund_card

    with house.opened(config) as place:
        card = place.store.read(refund_card.read, refund_id, policy=place.policy, now=place.now)
    if as_json:
        output.write_json(card)
    else:
        refund_card.show(card)


@app.command("approve")
def approve(
    refund_id: RefundId,
    config: Config = DEFAULT_CONFIG,
    *,
    reason: Reason = "",
    digest: Digest = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Setujui pengembalian dengan token pribadi Anda."""
    _say(config, refund_id, "approve", reason=reason, digest=digest, token_file=token_file, as_json=as_json)


@app.command("reject")
def reject(
    refund_id: RefundId,
    reason: Reason,
    config: Config = DEFAULT_CONFIG,
    *,
    digest: Digest = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Tolak pengembalian dengan token pribadi Anda; alasannya wajib."""
    _say(config, refund_id, "reject", reason=reason, digest=digest, token_file=token_file, as_json=as_json)


@app.command("settle")
def settle(
    refund_id: RefundId,
    outcome: Annotated[str, typer.Option("--as", help="settled: saldo sudah sampai. failed: tidak sampai.")],
    reason: Reason,
    config: Config = DEFAULT_CONFIG,
    *,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Tetapkan hasil pengembalian yang tidak diketahui (unknown); hanya penyelia."""
    if outcome not in ("settled", "failed"):
        failures.wrong_use(f"--as {outcome} tidak ada. Pilih: settled, failed.")
    _say(config, refund_id, outcome, reason=reason, digest=None, token_file=token_file, as_json=as_json)


def _say(
    config: Config,
    refund_id: str,
    word: str,
    *,
    reason: str,
    digest: str | None,
    token_file: TokenFile,
    as_json: bool,
) -> None:
    """Take one person's word and say what it changed; everything in one unit of work."""
    from sqlalchemy.exc import NoResultFound

    from rekon.domain.approval import NotAllowedError, Word
    from rekon.store import approvals

    with house.opened(config) as place:
        house.check_clock(place)
        ballot = approvals.Ballot(
            refund_id=refund_id,
            person=people.identify(place, token_file),
            word=Word(word),
            reason=reason.strip(),
            seen_digest=digest,
        )
        try:
            done = place.store.write(approvals.take, ballot, policy=place.policy, now=place.now)
        except NotAllowedError as error:
            people.refuse(error.refusal, f"Keputusan atas {refund_id}")
        except NoResultFound:
            failures.wrong_use(f"Pengembalian {refund_id} tidak ada. Lihat `rekon refunds list`.", reason="not_found")
    if as_json:
        output.write_json(done)
        return
    amount, seal = output.money(done.amount), done.digest[:_DIGEST_SHOWN]
    output.line(f"{done.refund_id}: {amount}, kini {done.state.value}, sidik {seal}.")
    if done.missing:
        output.line(f"Masih diperlukan: {done.missing}.")
