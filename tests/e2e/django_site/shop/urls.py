"""Addresses of the shop."""

from django.urls import path

from . import views

urlpatterns = [
    path("search", views.search),
    path("search/async", views.search_async),
    path("order", views.order),
    path("broken", views.broken),
    path("moved", views.moved),
]
