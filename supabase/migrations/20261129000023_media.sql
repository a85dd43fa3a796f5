-- What is sent beside words. What customers send is fetched from Meta while its address lives, looked at, and kept for a month for
-- whoever answers; what a person sends the console puts into the bucket, a worker looks at it and gives it to Meta, and then its
-- message leaves through the outbox as any other.

-- "awaited" until the console has put it there, "waiting" for a worker, "kept" in the bucket, or "refused" with the reason. place: which
-- attachment of its message. reference: WhatsApp's id of what it was given.
create table public.media (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  message_id uuid not null,
  place smallint not null check (place between 0 and 9),
  kind text not null check (kind in ('image', 'audio', 'video', 'document', 'sticker')),
  state text not null default 'waiting' check (state in ('awaited', 'waiting', 'kept', 'refused')),
  reason text check (reason ~ '^[a-z_]{1,40}$'),
  media_type text check (char_length(media_type) between 3 and 100),
  bytes integer check (bytes between 1 and 16777216),
  reference text check (reference ~ '^[A-Za-z0-9_.:-]{1,200}$'),
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
create index media_waiting on public.media (created_at) where state in ('awaited', 'waiting');
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
  using (state in ('awaited', 'waiting') and (select private.called_by_server()));
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

-- A message's media is written down with it; what lies too long is swept, and a send whose file was refused is not done again.
do $$
declare
  v_keep text := pg_get_functiondef('private.keep_arrivals(uuid, private.arrival[])'::regprocedure);
  v_sweep text := pg_get_functiondef('public.sweep(integer)'::regprocedure);
  v_send text := pg_get_functiondef('public.claim_outbox(uuid, uuid, integer)'::regprocedure);
  v_replay text := pg_get_functiondef('private.replay(uuid, text, uuid[], timestamptz, timestamptz, text, boolean)'::regprocedure);
begin
  assert strpos(v_keep, 'from new_inbox n join unnest(v_messages) a on a.key = n.effect_key' || chr(10) || '  )') > 0
    and strpos(v_sweep, 'return jsonb_build_object(') > 0 and strpos(v_send, '''state'', ''claimed'', ') > 0
    and strpos(v_replay, '''taken_over'', ''outside_window'')') > 0;
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
  -- Whose file has not come within an hour is taken up too, to be given up.
  execute replace(v_sweep, 'return jsonb_build_object(', $media$return jsonb_build_object(
    'media', (select coalesce(jsonb_agg(jsonb_build_object('tenant', s.tenant_id, 'media', s.id)), '[]')
      from (select d.tenant_id, d.id from public.media d
        where d.created_at < now() - case d.state when 'waiting' then make_interval(secs => p_seconds)
            when 'awaited' then interval '1 hour' end
          and (d.claimed_until is null or d.claimed_until < now())
        order by d.created_at limit 100) s),$media$);
  execute replace(v_send, '''state'', ''claimed'', ', '''state'', ''claimed'', ''media'', (select jsonb_build_object('
    '''kind'', d.kind, ''reference'', d.reference, ''object_key'', d.object_key) from public.media d '
    'where d.tenant_id = p_tenant and d.message_id = m.id and d.place = 0 and d.state = ''kept''), ');
  execute replace(v_replay, '''taken_over'', ''outside_window'')',
    '''taken_over'', ''outside_window'') and coalesce(o.error, '''') not like ''media\_%''');
end $$;

-- A member is about to send a file to a contact, with words or without: the message, which waits, and the media that waits for its file.
-- p_key as in write_as_person. Returns {media, object_key}, or {refused: outside_window | opted_out | no_caption} and writes nothing.
create function public.offer_media(p_tenant uuid, p_conversation uuid, p_key text, p_kind text, p_media_type text, p_bytes integer,
  p_text text) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_channel text;
  v_written jsonb;
  v_outbox public.outbox;
  v_media uuid;
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  select c.kind into v_channel from public.conversations v join public.channels c on c.tenant_id = p_tenant and c.id = v.channel_id
    where v.tenant_id = p_tenant and v.id = p_conversation;
  if not found then
    raise exception 'not found' using errcode = '42501';
  end if;
  -- A page sends words or a file; and a sound has no words beside it.
  if p_text is not null and (p_kind = 'audio' or v_channel <> 'whatsapp') then
    return jsonb_build_object('refused', 'no_caption');
  end if;
  -- The gates and the key are those of words; where there are none, the kind stands for them until the next line.
  v_written := public.write_as_person(p_tenant, p_conversation, p_key, coalesce(p_text, p_kind));
  if v_written ? 'refused' then
    return v_written;
  end if;
  select * into v_outbox from public.outbox o where o.tenant_id = p_tenant and o.id = (v_written ->> 'outbox')::uuid;
  select d.id into v_media from public.media d where d.tenant_id = p_tenant and d.message_id = v_outbox.message_id;
  if v_media is null then
    if v_outbox.created_at < now() then
      raise exception 'this key was used for words' using errcode = '22023';
    end if;
    update public.messages m set kind = p_kind, body = coalesce(p_text, '')
      where m.tenant_id = p_tenant and m.id = v_outbox.message_id;
    update public.outbox o set next_attempt_at = 'infinity' where o.tenant_id = p_tenant and o.id = v_outbox.id;
    insert into public.media (tenant_id, message_id, place, kind, state, media_type, bytes)
      values (p_tenant, v_outbox.message_id, 0, p_kind, 'awaited', p_media_type, p_bytes) returning id into v_media;
  end if;
  return jsonb_build_object('media', v_media, 'object_key', p_tenant::text || '/' || v_media::text);
end $$;

-- The file lies in the bucket, says a member: a worker may look at it. Its state now.
create function public.finish_media(p_tenant uuid, p_media uuid) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_state text;
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  update public.media d set state = case d.state when 'awaited' then 'waiting' else d.state end
    where d.tenant_id = p_tenant and d.id = p_media returning d.state into v_state;
  if not found then
    raise exception 'not found' using errcode = '42501';
  end if;
  return v_state;
end $$;

-- Claim media to be fetched or handed over. {state: claimed | busy | done | absent} and, when claimed, {fence, attempts, kind,
-- reference, goes_out, is_late, media_type, bytes, channel_row, contact, budget}; reference is the provider's, null where its item is gone.
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
  if v_media.state <> 'waiting' and (v_media.state <> 'awaited' or v_media.created_at > now() - interval '1 hour') then
    return jsonb_build_object('state', 'done');
  end if;
  if v_media.claimed_until > now() then
    return jsonb_build_object('state', 'busy');
  end if;
  update public.media d set fence = d.fence + 1, attempts = d.attempts + 1,
    claimed_until = now() + make_interval(secs => least(greatest(p_seconds, 1), 900))
    where d.tenant_id = p_tenant and d.id = p_media returning * into v_media;
  return (select jsonb_build_object('state', 'claimed', 'fence', v_media.fence, 'attempts', v_media.attempts,
      'kind', v_media.kind, 'goes_out', m.author <> 'contact', 'media_type', v_media.media_type, 'bytes', v_media.bytes,
      'is_late', v_media.state = 'awaited' or v_media.created_at < now() - interval '24 hours',
      'channel_row', v.channel_id, 'contact', v.contact_id, 'budget', private.budget_facts(p_tenant),
      'reference', (select f.reference from public.inbox b cross join private.media_of(b.item) f
        where b.tenant_id = p_tenant and b.id = m.inbox_id and f.place = v_media.place))
    from public.messages m join public.conversations v on v.tenant_id = p_tenant and v.id = m.conversation_id
    where m.tenant_id = p_tenant and m.id = v_media.message_id);
end $$;

-- What became of media: "kept" under the key {tenant}/{media}, "refused" with a reason; "waiting" gives it back. p_reference: what
-- WhatsApp calls what it was given. Returns the row of the outbox that may leave now, and its conversation.
create function public.settle_media(p_tenant uuid, p_media uuid, p_fence bigint, p_state text, p_reason text, p_media_type text,
  p_bytes integer, p_reference text) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_media public.media;
  v_outbox public.outbox;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  update public.media d set state = p_state, reason = p_reason, media_type = coalesce(p_media_type, d.media_type),
      bytes = coalesce(p_bytes, d.bytes), reference = p_reference,
      object_key = case p_state when 'kept' then p_tenant::text || '/' || p_media::text end,
      claimed_until = null, attempts = d.attempts - 1
    where d.tenant_id = p_tenant and d.id = p_media and d.fence = p_fence and d.state in ('awaited', 'waiting')
      and d.claimed_until is not null
    returning * into v_media;
  if not found then
    raise exception 'claim lost' using errcode = 'P0001';
  end if;
  if p_state = 'waiting' then
    return null;
  end if;
  update public.outbox o set next_attempt_at = now(),
      state = case p_state when 'refused' then 'failed' else o.state end,
      error = case p_state when 'refused' then 'media_' || p_reason else o.error end
    where o.tenant_id = p_tenant and o.message_id = v_media.message_id and o.state = 'pending' returning * into v_outbox;
  if not found then
    return null;
  end if;
  if p_state = 'refused' then
    update public.messages m set status = 'failed' where m.tenant_id = p_tenant and m.id = v_media.message_id;
    return null;
  end if;
  return jsonb_build_object('outbox', v_outbox.id, 'conversation', v_outbox.conversation_id);
end $$;

grant execute on function public.offer_media(uuid, uuid, text, text, text, integer, text), public.finish_media(uuid, uuid)
  to authenticated;
grant execute on function public.claim_media(uuid, uuid, integer),
  public.settle_media(uuid, uuid, bigint, text, text, text, integer, text) to service_role;
grant create on schema public, private to portero_service;
alter function private.media_of(jsonb) owner to portero_service;
alter function public.offer_media(uuid, uuid, text, text, text, integer, text) owner to portero_service;
alter function public.finish_media(uuid, uuid) owner to portero_service;
alter function public.claim_media(uuid, uuid, integer) owner to portero_service;
alter function public.settle_media(uuid, uuid, bigint, text, text, text, integer, text) owner to portero_service;
revoke create on schema public, private from portero_service;
