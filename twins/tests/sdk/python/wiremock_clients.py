"""The Python client of WireMock: mappings, the request journal, scenarios, settings, near misses."""

import os
import urllib.error
import urllib.request

from wiremock.client import (
    GlobalSetting,
    GlobalSettings,
    HttpMethods,
    Mapping,
    MappingRequest,
    MappingResponse,
    Mappings,
    NearMisses,
    NearMissMatchPatternRequest,
    Requests,
    Scenarios,
)
from wiremock.constants import Config

URL = os.environ["TWIN_URL"]
Config.base_url = f"{URL}/__admin"


def get(path):
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(URL + path) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def mapping(path, body, **more):
    request = MappingRequest(method=HttpMethods.GET, url_path=path)
    return Mapping(request=request, response=MappingResponse(status=200, body=body), **more)


made = Mappings.create_mapping(mapping=mapping("/a", "one"))
assert get("/a") == (200, "one") and Mappings.retrieve_mapping(made.id).id == made.id
changed = mapping("/a", "two", id=made.id)
Mappings.update_mapping(changed)
assert get("/a") == (200, "two")
assert Mappings.retrieve_all_mappings().meta.total == 2

Mappings.create_mapping(mapping=mapping("/door", "open", scenario_name="door", required_scenario_state="Started", new_scenario_state="shut"))
assert get("/door")[0] == 200 and get("/door")[0] == 501
Scenarios.reset_all_scenarios()
assert get("/door")[0] == 200

pattern = NearMissMatchPatternRequest(url_path="/a", method=HttpMethods.GET)
assert Requests.get_matching_request_count(pattern).count == 2
assert len(Requests.get_matching_requests(pattern).requests) == 2
everything = Requests.get_all_received_requests(limit=1)
assert everything.meta.total == 5 and everything.requests[0].request.url == "/door"
assert Requests.get_request(everything.requests[0].id).id == everything.requests[0].id
assert [one.url for one in Requests.get_unmatched_requests().requests] == ["/door"]
assert Requests.get_unmatched_requests_near_misses().near_misses
missed = NearMissMatchPatternRequest(url_path="/b", method=HttpMethods.GET)
assert NearMisses.find_nearest_misses_by_request_pattern(missed).near_misses
Requests.reset_request_journal()
assert Requests.get_all_received_requests().meta.total == 0

GlobalSettings.update_global_settings(GlobalSetting(fixed_delay=1))
assert get("/a") == (200, "two")
Mappings.delete_mapping(made.id)
assert get("/a")[0] == 501
Mappings.delete_all_mappings()
assert get("/first")[0] == 501
Mappings.reset_mappings()
assert get("/first") == (200, "of the file")
