-- What customers send beside words: fetched from Meta while its address lives, looked at, and kept for a month for whoever answers.

-- "waiting" for a worker, "kept" in the bucket, or "refused" with the reason. place: which attachment of its message.
create table public.media (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  message_id uuid not null,
  place smallint not null check (place between 0 and 9),
  kind text not null check (kind in ('image', 'audio', 'video', 'document', 'sticker')),
  state text not null default 'waiting' check (state in ('waiting', 'kept', 'refused')),
  reason text check (reason ~ '^[a-z_]{1,40}$'),
  media_type text check (char_length(media_type) between 3 and 100),
  bytes integer check (bytes between 1 and 16777216),
  object_key text check (object_key = tenant_id::text || '/' || id::text),
  fence bigint not null default 0,
  -- Workers that took it and did not come back.
  attempts smallint not null default 0,
  claimed_until timestamptz,
  created_at timestamptz not null default now(),
  unique (tenant_id, id),
  unique (tenant_id, message_id, place),
  check ((state = 'kept') = (object_key is not null)),
  foreign key (tenant_id, message_id) references public.messages (tenant_id, id) on delete cascade
);
-- The bucket forgets its objects a day later (serverless.yml).
comment on table public.media is 'tenant=tenant_id personal=no export=contact erase=contact keep=30-days(created_at)';
create index media_waiting on public.media (created_at) where state = 'waiting';
create index media_age on public.media (created_at);

alter table public.media enable row level security;
alter table public.media force row level security;
create policy member_reads on public.media for select to authenticated
  using (tenant_id in (select private.my_tenants()));
create policy second_factor on public.media as restrictive for all to authenticated
  using ((select private.second_factor()) <> 'missing') with check ((select private.second_factor()) <> 'missing');
create policy service_tenant on public.media for all to portero_service
  using (tenant_id = (select private.tenant())) with check (tenant_id = (select private.tenant()));
create policy sweep_waiting on public.media for select to portero_sweep
  using (state = 'waiting' and (select private.called_by_server()));
create policy retention_old on public.media for all to portero_retention
  using (created_at < now() - interval '30 days' and (select private.called_by_server())) with check (false);
grant select (id, tenant_id, message_id, place, kind, state, reason, media_type, bytes, object_key, created_at)
  on public.media to authenticated;
grant select, insert, update on public.media to portero_service;
grant select (id, tenant_id, state, created_at, claimed_until) on public.media to portero_sweep;
grant delete, select (id, created_at) on public.media to portero_retention;

-- What of a message of Meta's is more than words: WhatsApp names a media object, a page the address of each attachment.
create function private.media_of(p_item jsonb) returns table (place integer, kind text, reference text)
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select 0, k.kind, p_item #>> array[k.kind, 'id']
  from unnest('{image,audio,video,document,sticker}'::text[]) k (kind)
  where p_item ->> 'type' = k.kind and p_item #>> array[k.kind, 'id'] ~ '^[0-9]{5,64}$'
  union all
  select (a.place - 1)::integer, case a.one ->> 'type' when 'file' then 'document' else a.one ->> 'type' end, a.one #>> '{payload,url}'
  from jsonb_array_elements(case when jsonb_typeof(p_item #> '{message,attachments}') = 'array'
    then p_item #> '{message,attachments}' else '[]' end) with ordinality a (one, place)
  where a.one ->> 'type' in ('image', 'audio', 'video', 'file') and a.place <= 10
    and char_length(a.one #>> '{payload,url}') between 8 and 4000
$$;

do $$
declare
  v_keep text := pg_get_functiondef('private.keep_arrivals(uuid, private.arrival[])'::regprocedure);
  v_turn text := pg_get_functiondef('public.claim_turn(uuid, uuid, integer)'::regprocedure);
  v_sweep text := pg_get_functiondef('public.sweep(integer)'::regprocedure);
begin
  assert strpos(v_keep, 'from new_inbox n join unnest(v_messages) a on a.key = n.effect_key' || chr(10) || '  )') > 0
    and strpos(v_turn, '''is_forwarded'', coalesce(') > 0 and strpos(v_turn, '''wish'', private.wish_since') > 0
    and strpos(v_sweep, 'return jsonb_build_object(') > 0;
  execute replace(v_keep, 'from new_inbox n join unnest(v_messages) a on a.key = n.effect_key' || chr(10) || '  )',
    $media$from new_inbox n join unnest(v_messages) a on a.key = n.effect_key
      returning id, inbox_id, author
  ), new_media as (
    insert into public.media (tenant_id, message_id, place, kind)
      select p_tenant, w.id, f.place, f.kind from new_messages w
      join new_inbox n on n.id = w.inbox_id join unnest(v_messages) a on a.key = n.effect_key
      cross join private.media_of(a.item) f
      where w.author = 'contact'
  )$media$);
  execute replace(v_turn, '''wish'', private.wish_since', $media$'media', (select coalesce(jsonb_agg(d.id order by d.created_at, d.place), '[]')
      from public.inbox b join public.messages m on m.tenant_id = p_tenant and m.inbox_id = b.id
      join public.media d on d.tenant_id = p_tenant and d.message_id = m.id and d.state = 'waiting'
      where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null),
    'wish', private.wish_since$media$);
  execute replace(v_sweep, 'return jsonb_build_object(', $media$return jsonb_build_object(
    'media', (select coalesce(jsonb_agg(jsonb_build_object('tenant', s.tenant_id, 'media', s.id)), '[]')
      from (select d.tenant_id, d.id from public.media d
        where d.state = 'waiting' and d.created_at < now() - make_interval(secs => p_seconds)
          and (d.claimed_until is null or d.claimed_until < now())
        order by d.created_at limit 100) s),$media$);
end $$;

-- Claim media to be fetched. {state: claimed | busy | done | absent} and, when claimed, {fence, attempts, kind, reference,
-- channel_row, contact, budget}; reference null where the provider's item is gone.
create function public.claim_media(p_tenant uuid, p_media uuid, p_seconds integer) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_media public.media;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_media from public.media d where d.tenant_id = p_tenant and d.id = p_media for update;
  if not found then
    return jsonb_build_object('state', 'absent');
  end if;
  if v_media.state <> 'waiting' then
    return jsonb_build_object('state', 'done');
  end if;
  if v_media.claimed_until > now() then
    return jsonb_build_object('state', 'busy');
  end if;
  update public.media d set fence = d.fence + 1, attempts = d.attempts + 1,
    claimed_until = now() + make_interval(secs => least(greatest(p_seconds, 1), 900))
    where d.tenant_id = p_tenant and d.id = p_media returning * into v_media;
  return (select jsonb_build_object('state', 'claimed', 'fence', v_media.fence, 'attempts', v_media.attempts,
      'kind', v_media.kind, 'channel_row', v.channel_id, 'contact', v.contact_id, 'budget', private.budget_facts(p_tenant),
      'reference', (select f.reference from public.inbox b cross join private.media_of(b.item) f
        where b.tenant_id = p_tenant and b.id = m.inbox_id and f.place = v_media.place))
    from public.messages m join public.conversations v on v.tenant_id = p_tenant and v.id = m.conversation_id
    where m.tenant_id = p_tenant and m.id = v_media.message_id);
end $$;

-- What became of media: "kept" under the key {tenant}/{media}, "refused" with a reason; "waiting" gives it back.
create function public.settle_media(p_tenant uuid, p_media uuid, p_fence bigint, p_state text, p_reason text, p_media_type text,
  p_bytes integer) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  update public.media d set state = p_state, reason = p_reason, media_type = p_media_type, bytes = p_bytes,
      object_key = case p_state when 'kept' then p_tenant::text || '/' || p_media::text end,
      claimed_until = null, attempts = d.attempts - 1
    where d.tenant_id = p_tenant and d.id = p_media and d.fence = p_fence and d.state = 'waiting' and d.claimed_until is not null;
  if not found then
    raise exception 'claim lost' using errcode = 'P0001';
  end if;
end $$;

grant execute on function public.claim_media(uuid, uuid, integer),
  public.settle_media(uuid, uuid, bigint, text, text, text, integer) to service_role;
grant create on schema public, private to portero_service;
alter function private.media_of(jsonb) owner to portero_service;
alter function public.claim_media(uuid, uuid, integer) owner to portero_service;
alter function public.settle_media(uuid, uuid, bigint, text, text, text, integer) owner to portero_service;
revoke create on schema public, private from portero_service;
