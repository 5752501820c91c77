"""Pages of the shop."""

import logging

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

logger = logging.getLogger("shop")


def search(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"nothing found for {request.GET.get('q', '')}")


async def search_async(request: HttpRequest) -> HttpResponse:
    logger.info("search for %s", word := request.GET.get("q", ""), extra={"searched": word})
    return HttpResponse(f"nothing found for {word}")


def order(request: HttpRequest) -> HttpResponse:
    logger.info("주문 완료: %s", "떡볶이", extra={"order": {"id": 17, "items": ["떡볶이", "순대"]}, "price": 12500})
    return HttpResponse("thank you")


def broken(request: HttpRequest) -> HttpResponse:
    stock = {"떡볶이": 0}
    return HttpResponse(1 / stock["떡볶이"])


def moved(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/order")
