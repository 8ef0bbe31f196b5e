from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.states import Running, StateType

from deployments.runs import crash_abandoned_runs


@flow
def nightly() -> None:
    """A flow whose runs are made by hand here."""


def test_runs_of_a_pool_without_worker_are_crashed_and_others_left_alone(prefect_server: str) -> None:
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="orphans", type="process"))
        deployment = client.create_deployment(
            flow_id=client.create_flow(nightly), name="orphaned", work_pool_name="orphans"
        )
        abandoned = client.create_flow_run_from_deployment(deployment, state=Running())
        elsewhere = client.create_flow_run(nightly, state=Running())

        for _ in range(2):
            crash_abandoned_runs(prefect_server, "orphans")

        state = client.read_flow_run(abandoned.id).state
        assert state is not None
        assert state.type is StateType.CRASHED
        assert "run it again" in str(state.message)
        still = client.read_flow_run(elsewhere.id).state
        assert still is not None
        assert still.type is StateType.RUNNING
